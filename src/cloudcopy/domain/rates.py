"""How often a key may be used: a bucket of tokens, one for each request."""

from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Final, Self

from cloudcopy.domain.errors import Invalid

SLOWEST: Final = 0.1  # requests per second: nobody is told to wait for more than 10 s
FASTEST: Final = 10_000.0
LARGEST_BURST: Final = 100_000
BURST_SECONDS: Final = 10  # of the rate, where no burst was named


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in each second, and `burst` at once after a pause."""

    per_second: float
    burst: int

    @classmethod
    def parse(cls, per_second: float | None, burst: int | None) -> Self | None:
        """None where neither is given: no limit.

        Raises:
            Invalid: one is out of bounds, or there is a burst without a rate.
        """
        if per_second is None:
            if burst is not None:
                raise Invalid("burst", "says nothing without a rate")
            return None
        if not SLOWEST <= per_second <= FASTEST:
            raise Invalid("requests_per_second", f"must be {SLOWEST} to {FASTEST:.0f}")
        held = max(1, ceil(per_second * BURST_SECONDS)) if burst is None else burst
        if not 1 <= held <= LARGEST_BURST:
            raise Invalid("burst", f"must be 1 to {LARGEST_BURST}")
        return cls(per_second, held)

    def covers(self, other: "Rate") -> bool:
        """Whether `other` never lets more through."""
        return other.per_second <= self.per_second and other.burst <= self.burst


def tightest(one: Rate | None, other: Rate | None) -> Rate | None:
    """What both let through."""
    if one is None or other is None:
        return one or other
    return Rate(min(one.per_second, other.per_second), min(one.burst, other.burst))


@dataclass(frozen=True, slots=True)
class Bucket:
    """The tokens that were left at some moment."""

    tokens: float
    at: datetime


def full(bucket: Bucket, rate: Rate, at: datetime) -> bool:
    """Whether it is as a new one would be, and so need not be kept."""
    return _filled(bucket, rate, at) >= rate.burst


def take(bucket: Bucket | None, rate: Rate, at: datetime) -> tuple[Bucket, int]:
    """Take one token, if there is one.

    A clock that was set back adds no tokens; one that was set ahead fills the bucket.

    Returns:
        The bucket afterwards, and 0, or the whole seconds until there will be a token.
    """
    tokens = float(rate.burst) if bucket is None else _filled(bucket, rate, at)
    if tokens >= 1:
        return Bucket(tokens - 1, at), 0
    return Bucket(tokens, at), max(1, ceil((1 - tokens) / rate.per_second))


def _filled(bucket: Bucket, rate: Rate, at: datetime) -> float:
    passed = max(0.0, (at - bucket.at).total_seconds())
    return min(float(rate.burst), bucket.tokens + passed * rate.per_second)
