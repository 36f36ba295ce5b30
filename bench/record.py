"""What was measured, as a JSON file: rows are replaced one by one, so a run may be a part."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from bench.work import works

_ORDER: Final = list(works(1))


@dataclass(kw_only=True)
class Row:
    """One kind of copy in one direction at one distance.

    Attributes:
        rtt: Milliseconds.
        label: What was copied, for people.
        seconds: Of each round, by peer.
        failed: Why a peer has no figures, by peer.
        version: Of cloudcopy.
        at: When it was measured: ISO 8601, UTC.
        load: Of the machine, just before: what others were doing on it.
    """

    work: str
    upload: bool
    rtt: float
    label: str
    version: str
    at: str
    load: float | None = None
    seconds: dict[str, list[float]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.work}-{'up' if self.upload else 'down'}"

    @property
    def place(self) -> tuple[int, bool, float]:
        """Among the others."""
        return _ORDER.index(self.work), not self.upload, self.rtt

    @property
    def key(self) -> str:
        return f"{self.name}@{self.rtt:g}ms"


@dataclass(kw_only=True)
class Record:
    """Attributes:
    machine: What it was measured on, and the versions of all.
    floor: What the machine itself does, by what.
    plane: By number of agents, see `bench.plane`.
    first_byte: See `bench.first_byte`.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    floor: dict[str, float] = field(default_factory=dict)
    plane: dict[str, dict[str, str]] = field(default_factory=dict)
    first_byte: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "Record":
        """The one at `path`; an empty one if there is none."""
        if not path.exists():
            return cls()
        told = json.loads(path.read_text())
        told["rows"] = {key: Row(**row) for key, row in told["rows"].items()}
        return cls(**told)

    def save(self, path: Path) -> None:
        """Whole or not at all; the rows in the order of `works`, however they were measured."""
        self.rows = dict(sorted(self.rows.items(), key=lambda each: each[1].place))
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")
        part.replace(path)
