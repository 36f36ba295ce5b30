"""What every store promises of transfers that are added at once."""

from cloudcopy.domain.errors import Conflict
from cloudcopy.ports.store import Once, OpenStore
from tests.contracts.conftest import World


async def test_several_that_are_added_at_once_are_as_if_added_one_after_the_other(
    open_store: OpenStore, world: World, theirs: World
) -> None:
    async with open_store() as store:
        once = Once(key="old", order="o", body="b")
        before = await store.transfers.add(world.transfer(), once)
    asked = [
        (world.transfer(), Once()),
        (world.transfer(), Once(key="old", body="b")),
        (world.transfer(), Once(key="old", body="another")),
        (world.transfer(), Once(order="o", body="b")),
        (theirs.transfer(), Once(key="old", order="o", body="b")),
        (world.transfer(), Once(key="new", order="p", body="c")),
        (world.transfer(), Once(key="new", body="c")),
        (world.transfer(), Once(order="p", body="c")),
        (world.transfer(), Once(key="new", body="another")),
        (world.transfer(), Once()),
    ]
    async with open_store() as store:
        outcomes = await store.transfers.add_all(asked)
        own = {id(transfer): n for n, (transfer, _) in enumerate(asked)}
        told = [
            each.code if isinstance(each, Conflict) else own.get(id(each), each)
            for each in outcomes
        ]
        reused = "idempotency_key_reused"
        assert told == [0, before, reused, before, 4, 5, 5, 5, reused, 9]
        kept = [before, *(asked[n][0] for n in (0, 5, 9))]
        assert {each.id for each in await store.transfers.live(world.machine.id)} == {
            each.id for each in kept
        }
        assert await store.transfers.live(theirs.machine.id) == [asked[4][0]]
