"""Plans and checks: transfers that move nothing.

Both are waited for as a transfer is, with `.wait()` or `client.transfers.wait`, and what they
found of each file is `client.transfers.files`.
"""

from collections.abc import AsyncGenerator, Callable, Sequence

from cloudcopy.sdk.calls import Calls
from cloudcopy.sdk.orders import PAGE_SIZE, Orders
from cloudcopy.sdk.waiting import Transfer
from cloudcopy.wire.v1 import (
    Apply,
    Approval,
    DirectionName,
    LevelName,
    ModeName,
    NewCheck,
    NewPlan,
    TransferView,
    VerifyName,
)


class Plans:
    """`client.plans`."""

    def __init__(self, calls: Calls, new_idempotency_key: Callable[[], str]) -> None:
        self._calls = calls
        self._orders = Orders(calls, new_idempotency_key, "plan")

    async def create(
        self,
        *,
        instance: int | str,
        connection: int | str | None = None,
        source_instance: int | str | None = None,
        direction: DirectionName | None = None,
        src: str,
        dst: str,
        flags: Sequence[str] = (),
        compare: LevelName | None = None,
        mode: ModeName = "copy",
    ) -> Transfer:
        """Ask for a list of what a copy, or a mirror, of `src` into `dst` would do."""
        body = NewPlan(
            instance=instance,
            connection=connection,
            source_instance=source_instance,
            direction=direction,
            src=src,
            dst=dst,
            flags=[*flags],
            compare=compare,
            mode=mode,
        )
        return await self._orders.submit(body)

    async def apply(
        self,
        id: str,
        *,
        confirm_deletions: int | None = None,
        approval: str | None = None,
        verify: VerifyName = "hash",
        bwlimit: str = "",
    ) -> Transfer:
        """Carry out a plan that has succeeded; the transfer that does it.

        It fails without doing anything when one of both sides is no longer as the plan saw it.

        Args:
            approval: What `approve` returned to somebody else; it works once.

        Raises:
            Conflict: ``deletions_not_confirmed``: there are many deletions, and
                `confirm_deletions` is not their number.
        """
        body = Apply(
            confirm_deletions=confirm_deletions, approval=approval, verify=verify, bwlimit=bwlimit
        )
        return await self._orders.submit(body, f"{self._orders.path(id)}/apply")

    async def approve(self, id: str) -> Approval:
        """Let a program carry out a plan that it made with a key of its own.

        Raises:
            Conflict: ``own_plan``: it was made with this client's key.
        """
        return await self._calls.post(f"{self._orders.path(id)}/approve", Approval, repeatable=True)

    async def get(self, id: str) -> TransferView:
        return await self._orders.get(id)

    def list(self, *, page_size: int = PAGE_SIZE) -> AsyncGenerator[TransferView, None]:
        """Every plan, newest first, fetched page by page as the caller goes on."""
        return self._orders.list({}, page_size=page_size)


class Checks:
    """`client.checks`."""

    def __init__(self, calls: Calls, new_idempotency_key: Callable[[], str]) -> None:
        self._orders = Orders(calls, new_idempotency_key, "check")

    async def create(
        self,
        *,
        instance: int | str,
        connection: int | str | None = None,
        source_instance: int | str | None = None,
        direction: DirectionName | None = None,
        src: str,
        dst: str,
        flags: Sequence[str] = (),
        compare: LevelName | None = None,
    ) -> Transfer:
        """Ask whether what is inside `src` and `dst` is the same: by checksum, unless told
        otherwise. It ends ``succeeded`` when it is and ``partial`` when it is not."""
        body = NewCheck(
            instance=instance,
            connection=connection,
            source_instance=source_instance,
            direction=direction,
            src=src,
            dst=dst,
            flags=[*flags],
            compare=compare,
        )
        return await self._orders.submit(body)

    async def get(self, id: str) -> TransferView:
        return await self._orders.get(id)

    def list(self, *, page_size: int = PAGE_SIZE) -> AsyncGenerator[TransferView, None]:
        """Every check, newest first, fetched page by page as the caller goes on."""
        return self._orders.list({}, page_size=page_size)
