"""Many small copies in a row: all end, and none runs twice."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.journeys.conftest import Up
from tests.journeys.stack import eventually


@pytest.mark.parametrize("count", [100, pytest.param(1_000, marks=pytest.mark.soak, id="1000")])
def test_distinct_copies_posted_in_a_row_all_end_and_none_runs_twice(up: Up, count: int):
    for number in range(count):
        (up.root / f"{number}").mkdir()
        (up.root / f"{number}" / "file.txt").write_text(str(number))

    def post(number: int) -> str:
        body = {
            "instance_id": str(up.instance),
            "src": f"/{number}",
            "dst": f"{up.bucket}/{number}",
            "selected": str(up.connection),
            "transfer": "Instance To Cloud",
        }
        return str(up.api.ok("POST", "/api/v0/commands/rclone/", body)["result_url"])

    with ThreadPoolExecutor(4) as pool:
        urls = list(pool.map(post, range(count)))
    assert len(set(urls)) == count

    def ended() -> Counter[str] | None:
        states: Counter[str] = Counter()
        cursor = ""
        while True:
            page = up.api.ok("GET", f"/v1/transfers?limit=200{cursor}")
            states.update(each["state"] for each in page["data"])
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert states["failed"] == 0
        return states if states["succeeded"] == count else None

    eventually(ended, f"{count} copies have ended", patience=count)
    started = Counter(each["transfer"] for each in up.program.events("copy started"))
    assert len(started) == count
    assert set(started.values()) == {1}
