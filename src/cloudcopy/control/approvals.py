"""Approvals: a person's word that one plan may be carried out, for a program that may not decide.

An approval is a text that only this control plane can make. It holds for one plan, with the
deletions that the plan lists, for an hour, and once: the transfer that carries the plan out
takes its place under an Idempotency-Key that is made from it. It holds no longer than the key it
was given with: revoking that takes it back. The key that made the plan gets none, so a program
with a key of its own cannot approve what it asked for itself.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cloudcopy.control import transfers
from cloudcopy.control.transfers import Desk
from cloudcopy.domain.errors import Conflict, NotApproved
from cloudcopy.domain.keys import Caller, KeyId
from cloudcopy.domain.order import TransferId, Verify, Work
from cloudcopy.domain.transfer import State, Transfer
from cloudcopy.ports.vault import Vault

LIFE: Final = timedelta(hours=1)  # a person looks, approves, and hands it over
PREFIX: Final = "cca"
_PURPOSE: Final = "plan-approval"
_ONCE: Final = "plan-approval-once"
_PROOF_BYTES: Final = 24
# One spelling only: no leading zeros, nothing behind the proof.
_FORM: Final = re.compile(rf"{PREFIX}_([1-9][0-9]{{,11}})_([A-Za-z0-9]{{12}})_([0-9a-f]{{48}})")


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
        Forbidden: the caller's key is limited to other instances.
        Conflict: it has not succeeded (``plan_not_ready``), or the caller's own key made it
            (``own_plan``).
    """
    made = await _made(plan, caller, desk)
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
        text=f"{PREFIX}_{seconds}_{caller.key}_{_proof(made, seconds, caller.key, vault)}",
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
        NotApproved: the approval is not of this plan, expired, made up, or of a revoked key.
        NotFound, Forbidden, Conflict: as `transfers.apply`.
    """
    made = await _made(plan, caller, desk)
    seconds = await _expiry(made, approval, desk=desk, vault=vault)
    # Made of what the approval says, and not of its text: that may have several spellings.
    once = vault.digest(_ONCE, f"{made.account} {made.id} {made.attempt} {seconds}")
    return await transfers.apply(
        plan,
        caller=caller,
        desk=desk,
        confirm_deletions=_deletions(made),
        approved=True,
        verify=verify,
        bwlimit=bwlimit,
        idempotency_key=f"approval:{once.hex()}",
    )


async def _made(plan: TransferId, caller: Caller, desk: Desk) -> Transfer:
    """Raises NotFound; Forbidden where the caller's key is limited to other instances."""
    made = (await desk.reads.transfer(plan, account=caller.account)).transfer
    caller.must_reach(made.order.instance)
    return made


async def _expiry(made: Transfer, approval: str, *, desk: Desk, vault: Vault) -> int:
    """Until when the approval of this plan holds, in seconds since 1970. Raises NotApproved."""
    match = _FORM.fullmatch(approval)
    seconds, key, proof = match.groups() if match else ("0", "", "")
    right = _proof(made, int(seconds), KeyId(key), vault)
    if not vault.same(right.encode(), proof.encode()):
        raise _refused(made, f"This is no approval of the plan {made.id}.")
    if desk.now().timestamp() > int(seconds):
        raise _refused(made, f"This approval of the plan {made.id} has expired.")
    seen = await desk.reads.key(KeyId(key))
    if seen is None or seen.key.revoked_at is not None:
        raise _refused(made, f"The key that approved the plan {made.id} has been revoked since.")
    return int(seconds)


def _refused(made: Transfer, detail: str) -> NotApproved:
    return NotApproved(
        detail,
        next=(f"A person who has seen the plan runs: cloudcopy plan approve {made.id}",),
    )


def _proof(made: Transfer, seconds: int, key: KeyId, vault: Vault) -> str:
    about = f"{made.account} {made.id} {made.attempt} {_deletions(made)} {seconds} {key}"
    return vault.digest(_PURPOSE, about)[:_PROOF_BYTES].hex()


def _deletions(made: Transfer) -> int:
    return made.result.deleted if made.result else 0
