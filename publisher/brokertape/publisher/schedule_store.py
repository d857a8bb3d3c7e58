"""What schedules have learnt, in Redis, for the day after.

`<prefix>:x:schedule` is a hash: a code → JSON `{at, per_s, changes_each}` (`at`: when, ms since 1970), and `lag_s` → a
number. It may hold anything: what cannot be read is left alone, and what cannot be is ignored by the schedule.
"""

import logging
from collections.abc import Sequence
from typing import cast

from msgspec import DecodeError as MsgspecError
from msgspec.json import Decoder, Encoder

from brokertape.publisher.schedule import CodeLearned, Learned
from brokertape.publisher.schedule.learned import MOST_CODES
from brokertape.tape.connection import RedisClient, store_errors
from brokertape.tape.errors import InvalidCode
from brokertape.tape.keys import Keys, check_code

logger = logging.getLogger("brokertape.publisher.schedule_store")

REMEMBERED_MS = 30 * 86_400_000
FIELDS_A_COMMAND = 1000
LAG_FIELD = "lag_s"
DIGITS = 4  # more would only make every code differ at every save


class _Stored(CodeLearned, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    at: int


_ENCODER = Encoder()
_DECODER = Decoder(_Stored)


class ScheduleStore:
    """Loads what was learnt, and saves what has changed since. Raises StoreError.

    Several publishers share it; of a code that more than one has asked for the last one to save is right enough.
    """

    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._key = keys.private("schedule")
        self._saved = Learned(codes={})

    async def load(self, now: int) -> Learned:
        """What is known, of at most MOST_CODES codes. What is older than 30 days at `now` (ms) is deleted."""
        codes: dict[str, CodeLearned] = {}
        old: list[str] = []
        fields = await self._read()
        lag_s = _number(fields.pop(LAG_FIELD.encode(), b""))
        for name, payload in fields.items():
            code, stored = _decode(name, payload)
            if stored is None:
                continue
            if stored.at < now - REMEMBERED_MS:
                old.append(code)
            else:
                codes[code] = CodeLearned(per_s=stored.per_s, changes_each=stored.changes_each)
        await self._forget(old)
        logger.info(
            "what was learnt of %d codes is known; %d are forgotten, %d cannot be read",
            *(len(codes), len(old), len(fields) - len(codes) - len(old)),
        )
        self._saved = _rounded(Learned(codes=codes, lag_s=lag_s))
        return Learned(codes=codes, lag_s=lag_s)

    async def save(self, learned: Learned, now: int) -> None:
        """Write what differs from what was last loaded or saved."""
        news = _rounded(learned)
        fields: dict[str, bytes] = {
            code: _ENCODER.encode(_Stored(at=now, per_s=one.per_s, changes_each=one.changes_each))
            for code, one in news.codes.items()
            if one != self._saved.codes.get(code)
        }
        if news.lag_s is not None and news.lag_s != self._saved.lag_s:
            fields[LAG_FIELD] = _ENCODER.encode(news.lag_s)
        names = list(fields)
        for begin in range(0, len(names), FIELDS_A_COMMAND):
            part = names[begin : begin + FIELDS_A_COMMAND]
            with store_errors():
                await self._client.hset(self._key, mapping={name: fields[name] for name in part})
        self._saved = news

    async def _read(self) -> dict[bytes, bytes]:
        fields: dict[bytes, bytes] = {}
        cursor = 0
        while True:
            with store_errors():
                cursor, part = await self._client.hscan(self._key, cursor, count=FIELDS_A_COMMAND)
            fields |= cast("dict[bytes, bytes]", part)
            if not cursor:
                return fields
            if len(fields) >= MOST_CODES:
                logger.warning("of what was learnt only %d codes are read: there are more", len(fields))
                return fields

    async def _forget(self, codes: Sequence[str]) -> None:
        for begin in range(0, len(codes), FIELDS_A_COMMAND):
            with store_errors():
                await self._client.hdel(self._key, *codes[begin : begin + FIELDS_A_COMMAND])


def _decode(name: bytes, payload: bytes) -> tuple[str, _Stored | None]:
    """A field's code, and what is stored of it; None for what somebody else may have put there."""
    code = name.decode(errors="replace")
    try:
        return check_code(code), _DECODER.decode(payload)
    except (InvalidCode, MsgspecError, UnicodeDecodeError, RecursionError):
        return code, None


def _number(text: bytes) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _rounded(learned: Learned) -> Learned:
    return Learned(
        codes={
            code: CodeLearned(per_s=_round(one.per_s), changes_each=_round(one.changes_each))
            for code, one in learned.codes.items()
        },
        lag_s=_round(learned.lag_s),
    )


def _round(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")
