"""The control plane's scale, with a few agents: are its figures there, and of what they say?"""

from pathlib import Path

import pytest

from bench import plane


@pytest.mark.bench
def test_a_few_agents_get_their_orders_and_every_figure_is_there(tmp_path: Path):
    found = plane.measure(tmp_path, 3, seconds=0.5, idle_seconds=0.5)
    assert float(found["POSTs accepted per second, 32 at once"]) > 0
    answered = figures(found["POST until its answer, p50 / p99, ms"])
    arrived = figures(found["POST until the agent has the order, p50 / p99, ms"])
    assert 0 < answered[0] <= answered[1]
    assert 0 < arrived[0] <= arrived[1]
    assert found["orders that reached no agent within a minute"] == found["connections lost"] == "0"
    assert float(found["logins per second"]) > 0
    assert list(tmp_path.glob("plane-3/*")) == []


def figures(text: str) -> list[float]:
    return [float(each) for each in text.split(" / ")]
