"""Approvals: a person's word that one plan may be carried out, for a program that may not decide.

An approval is a text that only this control plane can make. It holds for one plan, with the
deletions that the plan lists, for an hour, and once: the transfer that carries the plan out
takes its place under an Idempotency-Key that is made from it. The key that made the plan gets
none, so a program with a key of its own cannot approve what it asked for itself.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cloudcopy.control import transfers
from cloudcopy.control.transfers import Desk
from cloudcopy.domain.errors import Conflict, NotApproved
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.order import TransferId, Verify, Work
from cloudcopy.domain.transfer import State, Transfer
from cloudcopy.ports.vault import Vault

LIFE: Final = timedelta(hours=1)  # a person looks, approves, and hands it over
PREFIX: Final = "cca"
_PURPOSE: Final = "plan-approval"
_ONCE: Final = "plan-approval-once"
_PROOF_BYTES: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person's word.

    Attributes:
        text: What the program is given. Whoever has it can carry out this plan, nothing else.
    """

    plan: TransferId
    deletions: int
    text: str
    expires_at: datetime


async def issue(plan: TransferId, *, caller: Caller, desk: Desk, vault: Vault) -> Approval:
    """Approve a plan that has succeeded. The caller has seen what it deletes.

    Raises:
        NotFound: there is no such plan.
        Conflict: it has not succeeded (``plan_not_ready``), or the caller's own key made it
            (``own_plan``).
    """
    made = (await desk.reads.transfer(plan, account=caller.account)).transfer
    if made.order.work is not Work.PLAN or made.state is not State.SUCCEEDED:
        raise Conflict(
            f"{plan} is no plan that has succeeded, so there is nothing to approve.",
            code="plan_not_ready",
            next=(f"Look at it: cloudcopy transfer show {plan}",),
        )
    if made.key == caller.key:
        raise Conflict(
            f"The plan {plan} was made with this same API key, so this key cannot approve it.",
            code="own_plan",
            next=(
                "Give the program that plans a key of its own: cloudcopy key create NAME",
                "What you planned yourself, carry out yourself: POST /v1/plans/ID/apply",
            ),
        )
    expires = desk.now().astimezone(UTC).replace(microsecond=0) + LIFE
    seconds = int(expires.timestamp())
    return Approval(
        plan=plan,
        deletions=_deletions(made),
        text=f"{PREFIX}_{seconds}_{_proof(made, seconds, vault)}",
        expires_at=expires,
    )


async def apply(
    plan: TransferId,
    approval: str,
    *,
    caller: Caller,
    desk: Desk,
    vault: Vault,
    verify: Verify = Verify.HASH,
    bwlimit: str = "",
) -> Transfer:
    """Carry out an approved plan. With the same approval again it is the same transfer.

    Raises:
        NotApproved: the approval is not of this plan, expired, or made up.
        NotFound, Conflict: as `transfers.apply`.
    """
    made = (await desk.reads.transfer(plan, account=caller.account)).transfer
    _check(made, approval, desk=desk, vault=vault)
    return await transfers.apply(
        plan,
        caller=caller,
        desk=desk,
        confirm_deletions=_deletions(made),
        verify=verify,
        bwlimit=bwlimit,
        idempotency_key=f"approval:{vault.digest(_ONCE, approval).hex()}",
    )


def _check(made: Transfer, approval: str, *, desk: Desk, vault: Vault) -> None:
    prefix, _, rest = approval[:200].partition("_")
    written, _, proof = rest.partition("_")
    good = prefix == PREFIX and written.isascii() and written.isdigit() and proof.isascii()
    seconds = int(written) if good else 0
    right = vault.same(_proof(made, seconds, vault).encode(), proof.encode(errors="replace"))
    if not (good and right):
        raise _refused(made, f"This is no approval of the plan {made.id}.")
    if desk.now().timestamp() > seconds:
        raise _refused(made, f"This approval of the plan {made.id} has expired.")


def _refused(made: Transfer, detail: str) -> NotApproved:
    return NotApproved(
        detail,
        next=(f"A person who has seen the plan runs: cloudcopy plan approve {made.id}",),
    )


def _proof(made: Transfer, seconds: int, vault: Vault) -> str:
    about = f"{made.account} {made.id} {made.attempt} {_deletions(made)} {seconds}"
    return vault.digest(_PURPOSE, about)[:_PROOF_BYTES].hex()


def _deletions(made: Transfer) -> int:
    return made.result.deleted if made.result else 0
