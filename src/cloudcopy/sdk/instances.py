"""Instances: directories that can be copied from and to, and those that are created."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from cloudcopy.sdk.calls import Calls
from cloudcopy.sdk.errors import Unavailable
from cloudcopy.sdk.pages import Listing, pages
from cloudcopy.sdk.references import as_id, only
from cloudcopy.wire.v1 import (
    AnswerView,
    InstancePage,
    InstanceStateName,
    InstanceView,
    OfferPage,
    OfferView,
)

FIRST_POLL_SECONDS: Final = 0.05  # a machine that is connected answers within that
SLOWEST_POLL_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 150.0  # the server gives up on a machine after two minutes


class Instances:
    """`client.instances`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(self) -> Listing[InstanceView]:
        return Listing(pages(partial(self._calls.get, "/v1/instances", InstancePage), {}))

    async def get(self, id: int) -> InstanceView:
        return await self._calls.get(f"/v1/instances/{id:d}", InstanceView)

    async def find(self, reference: int | str) -> InstanceView:
        """The instance with this id or label; digits are an id."""
        if (id := as_id(reference)) is not None:
            return await self.get(id)
        called = [each for each in await self.list() if each.label == reference]
        return only(called, kind="instance", name=str(reference))

    def offers(self) -> Listing[OfferView]:
        """The machines on which one can be created now."""
        return Listing(pages(partial(self._calls.get, "/v1/offers", OfferPage), {}))

    async def create(
        self,
        *,
        offer: int,
        label: str = "",
        image: str = "",
        onstart: str = "",
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        disk_gb: float = 0.0,
        state: InstanceStateName = "running",
    ) -> InstanceView:
        """Create an instance; returns once it is wanted. `wait` waits until it runs.

        Args:
            onstart: A script for sh; at most 4048 characters.
            env: Its environment; kept sealed and never shown again.

        Raises:
            Invalid, NotFound, Conflict: it cannot be created; says why.
        """
        body = {
            "offer": offer,
            "label": label,
            "image": image,
            "onstart": onstart,
            "args": [*args],
            "env": dict(env or {}),
            "disk_gb": disk_gb,
            "state": state,
        }
        return await self._calls.post("/v1/instances", InstanceView, body=body)

    async def wait(self, id: int) -> InstanceView:
        """The instance, once its machine has made it so, or it has ended for good."""
        pause = FIRST_POLL_SECONDS
        while True:
            seen = await self.get(id)
            if seen.actual_status in {seen.intended_status, "exited", "unknown", "offline"}:
                return seen
            await self._calls.sleep(pause)
            pause = min(SLOWEST_POLL_SECONDS, pause * 1.5)

    async def start(self, id: int) -> InstanceView:
        return await self._asked(id, "start", repeatable=True)

    async def stop(self, id: int) -> InstanceView:
        """End what runs in it; what it holds stays."""
        return await self._asked(id, "stop", repeatable=True)

    async def reboot(self, id: int) -> InstanceView:
        return await self._asked(id, "reboot", repeatable=False)

    async def _asked(self, id: int, what: str, *, repeatable: bool) -> InstanceView:
        path = f"/v1/instances/{id:d}/{what}"
        return await self._calls.post(path, InstanceView, repeatable=repeatable)

    async def label(self, id: int, label: str) -> InstanceView:
        return await self._calls.patch(f"/v1/instances/{id:d}", InstanceView, body={"label": label})

    async def destroy(self, id: int) -> None:
        """Remove it with all it holds. There is no way back."""
        await self._calls.delete(f"/v1/instances/{id:d}")

    async def logs(
        self, id: int, *, tail: int = 1000, filter: str = "", daemon: bool = False
    ) -> str:
        """The last lines of what ran in it; those that hold `filter`.

        Args:
            daemon: What was done with the instance, instead.
        """
        body = {"tail": tail, "filter": filter, "daemon": daemon}
        return await self._answer(id, "logs", body, repeatable=True)

    async def execute(self, id: int, command: str) -> str:
        """Carry out ``ls``, ``rm`` or ``du`` in it; returns what it printed."""
        return await self._answer(id, "execute", {"command": command}, repeatable=False)

    async def _answer(self, id: int, what: str, body: object, *, repeatable: bool) -> str:
        path = f"/v1/instances/{id:d}"
        asked = await self._calls.post(
            f"{path}/{what}", AnswerView, body=body, repeatable=repeatable
        )
        waited, pause = 0.0, FIRST_POLL_SECONDS
        while waited < PATIENCE_SECONDS:
            found = await self._calls.get(f"{path}/answers/{asked.id}", AnswerView)
            if found.text is not None:
                return found.text
            await self._calls.sleep(pause)
            waited, pause = waited + pause, min(SLOWEST_POLL_SECONDS, pause * 1.5)
        raise Unavailable(
            503, "The machine did not answer.", code="unavailable", next=("Ask again.",)
        )
