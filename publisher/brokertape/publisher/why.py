"""Why each code is asked when it is: what publishers tell of their schedules, for whoever looks at the tape.

`<prefix>:x:why:<publisher>` is a string, JSON of `Why`, written anew every few seconds; it expires with its publisher.
One string, and not a hash of codes: it is replaced as a whole, and codes that are gone leave nothing behind.
"""

import math
from collections.abc import Iterable
from operator import attrgetter
from typing import cast

from msgspec import DecodeError as MsgspecError
from msgspec import Struct
from msgspec.json import Decoder, Encoder

from brokertape.publisher.schedule import CodeView, Schedule
from brokertape.tape.connection import RedisClient, store_errors
from brokertape.tape.keys import Keys

EXPIRES_S = 30
MOST_CODES = 10_000  # of more, those worth least are not told
MOST_PUBLISHERS = 100
LONGEST_BYTES = 4 << 20  # twice what so many codes take
DIGITS = 4


class CodeWhy(Struct, frozen=True, kw_only=True, gc=False):
    """One code as its schedule sees it: the fields of `CodeView`."""

    code: str
    weight: float
    age_s: float | None
    changes_per_h: float
    trades_waiting: int | None
    index: float | None
    reason: str | None
    is_in_flight: bool
    failures: int
    is_halted: bool

    @property
    def rank(self) -> float:
        """By this the codes are shown, the highest first: what was never asked comes before all others."""
        return math.inf if self.index is None else self.index


class Why(Struct, frozen=True, kw_only=True):
    """A publisher's schedule at a moment (`told_at`, ms since 1970), its codes by index, the highest first.

    `lag_s` is how many seconds after a trade it expects the lists to show it.
    """

    publisher: str
    told_at: int
    lag_s: float
    codes: tuple[CodeWhy, ...]


_ENCODER = Encoder()
_DECODER = Decoder(Why)


def why_of(schedule: Schedule, *, publisher: str, now_s: float, now_ms: int) -> Why:
    """What `schedule` has to tell: now, on its own clock and since 1970."""
    codes = sorted(map(_code_why, schedule.views(now_s)), key=attrgetter("rank"), reverse=True)
    return Why(publisher=publisher, told_at=now_ms, lag_s=_short(schedule.lag_s), codes=tuple(codes[:MOST_CODES]))


class WhyStore:
    """Where it is told. Raises StoreError."""

    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def tell(self, why: Why) -> None:
        """Say it for half a minute."""
        with store_errors():
            await self._client.set(self._key(why.publisher), _ENCODER.encode(why), ex=EXPIRES_S)

    async def read(self, publishers: Iterable[str]) -> list[Why]:
        """What these publishers, or the first hundred of them, tell; of one that tells nothing readable, nothing."""
        told = [await self._read(publisher) for publisher in sorted(set(publishers))[:MOST_PUBLISHERS]]
        return [why for why in told if why is not None]

    async def _read(self, publisher: str) -> Why | None:
        with store_errors():
            payload = cast("bytes", await self._client.getrange(self._key(publisher), 0, LONGEST_BYTES))
        try:
            why = _DECODER.decode(payload)
        except (MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        return why if why.publisher == publisher else None

    def _key(self, publisher: str) -> str:
        return self._keys.private(f"why:{publisher}")


def _code_why(view: CodeView) -> CodeWhy:
    return CodeWhy(
        code=view.code,
        weight=view.weight,
        age_s=None if view.age_s is None else round(view.age_s, 1),
        changes_per_h=_short(view.changes_per_h),
        trades_waiting=view.trades_waiting,
        index=None if view.index is None else _short(view.index),
        reason=view.reason,
        is_in_flight=view.is_in_flight,
        failures=view.failures,
        is_halted=view.is_halted,
    )


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
