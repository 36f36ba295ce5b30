"""A mirror's deletions: of what is still what its plan saw, and of nothing else."""

from cloudcopy.adapters.rclone.reasons import Reason
from cloudcopy.adapters.rclone.survey import delete
from cloudcopy.adapters.rclone.walk import walk
from tests.adapters.rclone.rcd import Bench, bench, s3
from tests.adapters.rclone.test_survey import survey

__all__ = ["bench", "s3"]


async def test_deletions_name_what_they_could_not_delete(bench: Bench):
    for name in ("a", "d/b", "c", "other now", "at the source now"):
        bench.put(name)
    async with bench.rclone() as (sides, _), bench.spool() as spool:
        _, there = await sides.kinds()
        async for batch in walk(sides.rc.call, sides.target, server_times=there.slow_time):
            await spool.destination(batch, known_only=False)
        known = {each.path: each async for page in spool.facts() for each in page}
        bench.put("other now", b"of another size")
        asked = [
            known["a"],
            known["d/b"],
            known["a"]._replace(path="gone already"),
            known["a"]._replace(path="bad�name"),
            known["other now"],
            known["at the source now"]._replace(later_size=1),
        ]
        failed = await delete(sides, there, asked)
        assert {name: why.code for name, why in failed.items()} == {
            "bad�name": "bad_name",
            "other now": "changed_since_plan",
            "at the source now": "changed_since_plan",
        }
        assert all(isinstance(why, Reason) for why in failed.values())
    found = await survey("check", bench)
    assert found.result.at_destination == 3


async def test_a_file_of_the_same_size_that_arrived_at_another_time_stays(bench: Bench):
    bench.put("a")
    bench.put("b")
    async with bench.rclone() as (sides, _), bench.spool() as spool:
        _, there = await sides.kinds()
        async for batch in walk(sides.rc.call, sides.target, server_times=there.slow_time):
            await spool.destination(batch, known_only=False)
        seen = {each.path: each async for page in spool.facts() for each in page}
        then = seen["b"]._replace(there_time="2020-01-01T00:00:00.000000000Z")
        failed = await delete(sides, there, [seen["a"], then])
        assert {name: why.code for name, why in failed.items()} == {"b": "changed_since_plan"}
    found = await survey("check", bench)
    assert found.result.at_destination == 1
