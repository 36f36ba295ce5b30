"""The trees that are copied, and the look at what arrived."""

from pathlib import Path

import pytest

from bench import arrived
from bench.way import Failed
from bench.work import Kind, Some, change, plant, sums, works
from demo.seaweed import S3


def test_the_full_works_are_those_of_the_page():
    assert {name: str(each) for name, each in works(1).items()} == {
        "one": "1 × 1 KiB",
        "small": "10,000 × 10 KiB",
        "noop": "10,000 × 10 KiB, nothing to do",
        "changed": "10,000 × 10 KiB, 50 changed",
        "large": "1 × 2 GiB",
        "mixed": "8 × 256 MiB + 2,000 × 20 KiB",
    }


def test_a_tree_has_the_files_asked_for_and_the_same_bytes_each_time(tmp_path: Path):
    work = works(0.01)["mixed"]
    assert work.files == (Some(8, 3 << 20), Some(20, 20 << 10))
    plant(tmp_path / "one", work)
    plant(tmp_path / "other", work)
    found = sums(tmp_path / "one")
    assert found == sums(tmp_path / "other")
    assert sorted(size for size, _ in found.values()) == [20 << 10] * 20 + [3 << 20] * 8
    assert len({digest for _, digest in found.values()}) == 28


def test_as_many_files_are_changed_as_said_each_in_size_and_bytes(tmp_path: Path):
    work = works(0.02)["changed"]
    assert (work.kind, work.changed) == (Kind.CHANGED, 1)
    plant(tmp_path, works(0.02)["small"])
    before = sums(tmp_path)
    changed = change(tmp_path, 7, turn=1)
    after = sums(tmp_path)
    other = {name for name in before if before[name] != after[name]}
    assert other == {path.relative_to(tmp_path).as_posix() for path in changed}
    assert len(other) == 7
    assert all(after[name][0] == before[name][0] + 1 for name in other)


def test_what_arrived_wrongly_is_told(tmp_path: Path):
    (tmp_path / "right").write_bytes(b"right")
    wanted = sums(tmp_path)
    arrived.here(wanted, tmp_path)
    (tmp_path / "right").write_bytes(b"wrong")
    with pytest.raises(Failed, match="right did not arrive"):
        arrived.here(wanted, tmp_path)
    with pytest.raises(Failed, match="did not arrive"):
        arrived.here(wanted | {"more": (0, "")}, tmp_path)


def test_what_is_stored_wrongly_is_told(tmp_path: Path, store: S3):
    (tmp_path / "whole").write_bytes(b"x" * 100)
    (tmp_path / "parts").write_bytes(b"y" * (6 << 20))
    wanted = sums(tmp_path)
    with store.client() as client:
        bucket = store.create_bucket("arrived")

        def put(name: str, body: bytes) -> None:
            client.put_object(Bucket=bucket, Key=f"run/{name}", Body=body)

        put("whole", b"x" * 100)
        upload = client.create_multipart_upload(Bucket=bucket, Key="run/parts")
        named = {"Bucket": bucket, "Key": "run/parts", "UploadId": upload["UploadId"]}
        sizes = (5 << 20, 1 << 20)
        parts = [
            {
                "PartNumber": number,
                "ETag": client.upload_part(PartNumber=number, Body=b"y" * size, **named)["ETag"],
            }
            for number, size in enumerate(sizes, 1)
        ]
        client.complete_multipart_upload(MultipartUpload={"Parts": parts}, **named)
        arrived.in_store(wanted, store, bucket, "run")
        put("parts", b"z" * (6 << 20))
        with pytest.raises(Failed, match="parts has"):
            arrived.in_store(wanted, store, bucket, "run")
        put("parts", b"y" * (6 << 20))
        put("too many", b"")
        with pytest.raises(Failed, match="too many has"):
            arrived.in_store(wanted, store, bucket, "run")
