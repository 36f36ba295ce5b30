"""obstore moves only what it is known to move as rclone would."""

import pytest

from cloudcopy.domain.connection import Backend, backend
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.movers import Mover, chosen

KEYS = {"access_key_id": "k", "secret_access_key": "s"}
STORE = {**KEYS, "endpoint": "https://s3.example.org"}


@pytest.mark.parametrize(
    "options",
    [
        STORE,
        {**STORE, "session_token": "t", "region": "eu-1", "force_path_style": "true"},
        {**STORE, "endpoint": "http://127.0.0.1:8333/", "provider": "SeaweedFS"},
        {**KEYS, "region": "eu-central-1"},
    ],
)
def test_plain_s3_is_moved_by_obstore(options: dict[str, str]):
    flags = Flags.parse(["--checksum", "--update", "--transfers=4", "--bwlimit=10M"])
    assert chosen(backend("s3", options), flags) is Mover.OBJECTS


@pytest.mark.parametrize(
    "options",
    [
        KEYS,  # Amazon, in which region?
        {**STORE, "server_side_encryption": "aws:kms"},
        {**STORE, "storage_class": "GLACIER"},
        {**STORE, "force_path_style": "false"},
        {**STORE, "provider": "Alibaba"},
        {**STORE, "endpoint": "https://s3.example.org/name"},
        {**STORE, "v2_auth": "true"},
        {"endpoint": "https://s3.example.org", "access_key_id": "k", "secret_access_key": ""},
    ],
)
def test_an_option_with_a_meaning_of_its_own_is_left_to_rclone(options: dict[str, str]):
    assert chosen(backend("s3", options), Flags()) is Mover.RCLONE


def test_the_gateway_of_hugging_face_is_left_to_rclone():
    hub = backend("hf", {**KEYS, "namespace": "me"})
    assert chosen(hub, Flags()) is Mover.RCLONE


@pytest.mark.parametrize("type", ["local", "webdav", "b2", "google cloud storage", "azureblob"])
def test_every_other_store_is_left_to_rclone(type: str):
    assert chosen(Backend(type, {}), Flags()) is Mover.RCLONE


@pytest.mark.parametrize(
    "flag",
    [
        "--dry-run",
        "--no-traverse",
        "--max-transfer=1G",
        "--max-size=1M",
        "--min-age=1d",
        "--include=*.txt",
        "--filter=- *.tmp",
    ],
)
def test_flags_that_choose_files_are_left_to_rclone(flag: str):
    assert chosen(backend("s3", STORE), Flags.parse([flag])) is Mover.RCLONE
