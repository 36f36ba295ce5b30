"""What an agent and the control plane say to each other, over one WebSocket.

Each message is one binary frame: a msgpack map with its kind under ``"type"``. Fields
may be added with a default; a change that an older peer would misread raises `PROTOCOL`.

    agent                                control plane
    Hello(machine)                  ->
                                    <-   Challenge(nonce)
    Proof(signature of the nonce)   ->
    Announce(instances)             ->
                                    <-   Welcome(epoch, ids)
                                    <-   Desired(every live order)           on connect, every ~20 s
                                    <-   Desired(what is new)                on a doorbell
    NeedBackend                     ->                                       just before a start
                                    <-   BackendGranted | BackendRefused
    NeedNames                       ->                                       for failed files only
                                    <-   Names
                                    <-   ServeSource                      for a copy elsewhere
    SourceServed | SourceRefused    ->
                                    <-   OpenHalf, EndSource              see `wire.relay`
    LedgerChunk (until acknowledged)->                                       one after another
                                    <-   LedgerAck
    Report (until acknowledged)     ->
                                    <-   Ack
    ProgressNow (lossy, about 1 Hz) ->
                                    <-   DesiredInstances                with Desired
    InstanceNow, InstanceAnswer     ->                                   in answer, or on a change
                                    <-   Bye                              a newer socket took over
"""

from datetime import datetime
from typing import Final, Literal

import msgspec

from cloudcopy.domain.offer import Hardware
from cloudcopy.domain.progress import Progress, Result
from cloudcopy.wire.instances import Asked, WantedInstance

PROTOCOL: Final = 1
MAX_FRAME_BYTES: Final = 4 * 1024 * 1024
MAX_NAMES: Final = 500  # in one frame: a name has at most 4 KiB
MAX_ORDERS: Final = 50  # in one frame: each may carry 64 KiB of flags
CHALLENGE_CONTEXT: Final = b"cloudcopy agent login v1\0"  # so that a signature serves nothing else


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Anything sent on the socket."""


class Hello(Message, frozen=True, kw_only=True, tag="hello"):
    protocol: int
    machine: int


class Challenge(Message, frozen=True, kw_only=True, tag="challenge"):
    nonce: bytes


class Proof(Message, frozen=True, kw_only=True, tag="proof"):
    signature: bytes  # Ed25519 over CHALLENGE_CONTEXT + nonce


class AnnouncedInstance(msgspec.Struct, frozen=True):
    label: str
    root: str
    actual_status: str


class Announce(Message, frozen=True, kw_only=True, tag="announce"):
    """What the agent has and can do.

    Attributes:
        hardware: What instances can be created on; None: none can.
        relays: It knows copies from instance to instance, and the messages they take.
    """

    instances: list[AnnouncedInstance]
    hardware: Hardware | None = None
    relays: bool = False


class Welcome(Message, frozen=True, kw_only=True, tag="welcome"):
    epoch: int
    instances: dict[str, int]  # id by label


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One live transfer as its agent must know it. No credentials."""

    transfer: str
    attempt: int
    fence: str
    want: Literal["run", "stop"]
    instance: str  # its label
    direction: str
    local: str
    remote: str
    flags: list[str]
    work: str = "transfer"
    mode: str = "copy"
    verify: str = "hash"
    scope: str = "all"
    bwlimit: str = ""
    agreed: tuple[str, str] | None = None  # the plan's digests of source and destination


class Desired(Message, frozen=True, kw_only=True, tag="desired"):
    """What the agent should be doing; a long list comes in several messages.

    Attributes:
        full: A live transfer that is in none of the round's messages is no longer wanted.
        more: Further messages of the same round follow.
    """

    full: bool
    orders: list[Order]
    more: bool = False


class NeedBackend(Message, frozen=True, kw_only=True, tag="need_backend"):
    transfer: str
    attempt: int
    fence: str


class BackendGranted(Message, frozen=True, kw_only=True, tag="backend_granted"):
    """The store with its secrets, for memory only. Never log this message."""

    transfer: str
    attempt: int
    backend: str
    options: dict[str, str]
    root: str  # prefix of every path in the connection; empty for the whole store

    def __repr__(self) -> str:
        return f"BackendGranted({self.transfer}, attempt {self.attempt}, {self.backend})"


class BackendRefused(Message, frozen=True, kw_only=True, tag="backend_refused"):
    transfer: str
    attempt: int
    reason: str


class NeedNames(Message, frozen=True, kw_only=True, tag="need_names"):
    """Which files failed in the attempt before? `after`: how many names are known already."""

    transfer: str
    attempt: int
    fence: str
    after: int = 0


class Names(Message, frozen=True, kw_only=True, tag="names"):
    """At most `MAX_NAMES` of them, in the ledger's order, from the one with number `after` on."""

    transfer: str
    attempt: int
    after: int
    names: list[str]
    more: bool


class LedgerChunk(Message, frozen=True, kw_only=True, tag="ledger_chunk"):
    """A part of an attempt's ledger (`wire.ledger`); `number` counts from 0."""

    transfer: str
    attempt: int
    fence: str
    number: int
    data: bytes


class LedgerAck(Message, frozen=True, kw_only=True, tag="ledger_ack"):
    """The chunk is durable, or its attempt is no longer wanted."""

    transfer: str
    attempt: int
    number: int


class ServeSource(Message, frozen=True, kw_only=True, tag="serve_source"):
    """Show `path` of an instance, read-only, to the relay of a copy on another machine.

    Said again, it is answered again.
    """

    relay: str
    instance: str  # its label
    path: str


class OpenHalf(Message, frozen=True, kw_only=True, tag="open_half"):
    """One more connection of that copy: join it with `secret`. Never log this message.

    It says all that `ServeSource` does: what was shown may have ended meanwhile.
    """

    relay: str
    instance: str
    path: str
    secret: str

    def __repr__(self) -> str:
        return f"OpenHalf({self.relay})"


class EndSource(Message, frozen=True, kw_only=True, tag="end_source"):
    """The relay is over: end what it was shown by."""

    relay: str


class SourceServed(Message, frozen=True, kw_only=True, tag="source_served"):
    """`name`: the path is that single file; empty for a directory."""

    relay: str
    name: str


class SourceRefused(Message, frozen=True, kw_only=True, tag="source_refused"):
    relay: str
    reason: str


class Report(Message, frozen=True, kw_only=True, tag="report"):
    """A fact about one attempt. Repeated until acknowledged."""

    transfer: str
    attempt: int
    fence: str
    kind: Literal["started", "succeeded", "partial", "failed", "stopped"]
    at: datetime
    reason: str = ""
    result: Result | None = None
    chunks: int = 0  # of its ledger, all acknowledged before this is said


class Ack(Message, frozen=True, kw_only=True, tag="ack"):
    transfer: str
    attempt: int
    kind: str


class ProgressNow(Message, frozen=True, kw_only=True, tag="progress"):
    transfer: str
    attempt: int
    fence: str
    progress: Progress


class DesiredInstances(Message, frozen=True, kw_only=True, tag="desired_instances"):
    """Created instances as they should be, and what is asked about them; in several messages
    where there are many."""

    instances: list[WantedInstance]
    questions: list[Asked] = []


class InstanceNow(Message, frozen=True, kw_only=True, tag="instance"):
    """How a created instance is. Said again at any time; only the latest counts.

    Attributes:
        boot: The boot that it is about; of an older one it means nothing.
        gone: It is destroyed: its directory and processes are no more.
    """

    name: str
    boot: int
    actual_status: str
    text: str = ""
    gone: bool = False


class InstanceAnswer(Message, frozen=True, kw_only=True, tag="instance_answer"):
    id: str
    text: str


class Bye(Message, frozen=True, kw_only=True, tag="bye"):
    """The socket ends. `final`: coming back with the same words would be refused again."""

    reason: str
    final: bool = False


ToSource = ServeSource | OpenHalf | EndSource
FromSource = SourceServed | SourceRefused
FromAgent = (
    Hello
    | Proof
    | Announce
    | NeedBackend
    | NeedNames
    | LedgerChunk
    | Report
    | ProgressNow
    | InstanceNow
    | InstanceAnswer
    | FromSource
)
FromServer = (
    Challenge
    | Welcome
    | Desired
    | BackendGranted
    | BackendRefused
    | Names
    | LedgerAck
    | Ack
    | DesiredInstances
    | Bye
    | ToSource
)

_encoder = msgspec.msgpack.Encoder()
_from_agent: msgspec.msgpack.Decoder[FromAgent] = msgspec.msgpack.Decoder(FromAgent)
_from_server: msgspec.msgpack.Decoder[FromServer] = msgspec.msgpack.Decoder(FromServer)


def pack(message: Message) -> bytes:
    return _encoder.encode(message)


def from_agent(frame: bytes) -> FromAgent:
    """Raises msgspec.DecodeError (of which ValidationError is one) for anything else."""
    return _from_agent.decode(frame)


def from_server(frame: bytes) -> FromServer:
    """Raises msgspec.DecodeError (of which ValidationError is one) for anything else."""
    return _from_server.decode(frame)
