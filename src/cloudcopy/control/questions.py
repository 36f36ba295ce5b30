"""The answers to what machines were asked: behind an unguessable address, or the caller's key."""

from typing import Final

from cloudcopy.control.queries import Desk
from cloudcopy.domain.errors import NotFound
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import InstanceId
from cloudcopy.domain.question import ANSWER_LIFE, PATIENCE, Question, QuestionId
from cloudcopy.ports.vault import Vault

_PURPOSE: Final = "answer-url"
UNANSWERED: Final = "The machine did not answer. Ask again.\n"


def token(question: Question, *, vault: Vault) -> str:
    """The unguessable end of the answer's URL; the same each time."""
    return f"{question.id}.{_proof(question.id, vault)}"


def _proof(id: str, vault: Vault) -> str:
    return vault.digest(_PURPOSE, id)[:24].hex()


async def text(written: str, *, desk: Desk) -> str:
    """The answer, for whoever holds its token.

    Raises:
        NotFound: forged, expired, unknown or not answered yet: one answer for all.
    """
    id, _, proof = written.partition(".")
    known = _proof(id, desk.vault).encode()
    if not proof.isascii() or not desk.vault.same(proof.encode(), known):
        raise _none()
    try:
        found = await desk.reads.question(QuestionId(id))
    except NotFound:
        raise _none() from None
    answer = _answer(found, desk)
    if answer is None or desk.now() - found.asked_at > ANSWER_LIFE:
        raise _none()
    return answer


async def one(
    id: str, instance: InstanceId, *, caller: Caller, desk: Desk
) -> tuple[Question, str | None]:
    """A question of the caller's and its answer; None while there is none.

    Raises:
        NotFound: there is no such question, or no longer.
        Forbidden: the caller's key is limited to other instances.
    """
    caller.must_reach(instance)
    found = await desk.reads.question(QuestionId(id[:80]))
    mine = found.account == caller.account and found.instance == instance
    if not mine or desk.now() - found.asked_at > ANSWER_LIFE:
        raise NotFound("question", id[:80])
    return found, _answer(found, desk)


def _answer(found: Question, desk: Desk) -> str | None:
    if found.answer is None and desk.now() - found.asked_at > PATIENCE:
        return UNANSWERED
    return found.answer


def _none() -> NotFound:
    return NotFound(
        "result",
        "at this address",
        next=("If it was asked for just now, ask again: it is there once the machine answers.",),
    )
