"""Many small requests at once: none is lost, and none waits far longer than the others."""

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx2
import pytest

from tests.journeys.conftest import Pair
from tests.journeys.stack import Api

CLIENTS = 8


def every_transfer(api: Api, what: str = "dst") -> list[str]:
    found: list[str] = []
    cursor = ""
    while True:
        page = api.ok("GET", f"/v1/transfers?limit=200{cursor}")
        found += [each[what] for each in page["data"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.soak, id="10000")])
def test_many_small_orders_are_all_kept_and_answered_evenly(pair: Pair, count: int):
    pair.agent.kill()  # what is measured is the accepting; the copies wait for their machine
    own, opened = threading.local(), ExitStack()
    seconds: list[float] = []

    def post(number: int) -> None:
        if not hasattr(own, "api"):
            own.api = Api(pair.api.url, pair.api.key)
            opened.callback(own.api.close)
        body = {
            "instance_id": str(pair.instance),
            "src": "/data",
            "dst": f"{pair.bucket}/{number}",
            "selected": str(pair.connection),
            "transfer": "Instance To Cloud",
        }
        began = time.monotonic()
        answer = own.api.ok("POST", "/api/v0/commands/rclone/", body)
        seconds.append(time.monotonic() - began)
        assert answer["result_url"]

    with opened, ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(post, range(count)))

    pair.server.kill()
    pair.start_server()
    pair.api.wait_until_up()
    assert sorted(every_transfer(pair.api)) == sorted(f"{pair.bucket}/{n}" for n in range(count))
    middle, late = statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]
    print(f"{count} orders: median {middle * 1e3:.1f} ms, p99 {late * 1e3:.1f} ms")
    if count == 10_000:
        assert late < 20 * middle


def test_what_was_answered_survives_a_kill_in_the_middle_and_nothing_is_there_twice(pair: Pair):
    """Every order is sent again afterwards with its key, as a client does that got no answer."""
    pair.agent.kill()
    answered: dict[int, str] = {}
    enough, numbers = threading.Event(), iter(range(100_000))

    def send(api: Api, number: int) -> str:
        body = {
            "instance": pair.instance,
            "connection": pair.connection,
            "direction": "instance_to_cloud",
            "src": "/data",
            "dst": f"{pair.bucket}/{number}",
        }
        key = {"Idempotency-Key": f"order-{number}"}
        return str(api.ok("POST", "/v1/transfers", body, headers=key)["id"])

    def post_until_it_dies() -> int:
        api = Api(pair.api.url, pair.api.key)
        try:
            for number in numbers:
                answered[number] = send(api, number)
                if len(answered) >= 100:
                    enough.set()
        except httpx2.TransportError:
            return number
        finally:
            api.close()
        raise AssertionError("it was not killed")

    with ThreadPoolExecutor(CLIENTS) as pool:
        posting = [pool.submit(post_until_it_dies) for _ in range(CLIENTS)]
        assert enough.wait(60)
        pair.server.kill()
        unanswered = [each.result() for each in posting]
    pair.start_server()
    pair.api.wait_until_up()

    assert set(answered.values()) <= set(every_transfer(pair.api, "id"))
    again = {number: send(pair.api, number) for number in (*answered, *unanswered)}
    assert again.items() >= answered.items()
    assert sorted(every_transfer(pair.api, "id")) == sorted(again.values())
