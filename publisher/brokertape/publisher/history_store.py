"""The history stream in Redis, and beside it the memory of what is on it or is not to be had."""

from collections.abc import Sequence
from importlib import resources
from typing import cast

from brokertape.publisher.past_days import Known, Marks
from brokertape.tape.codec import encode_entry
from brokertape.tape.connection import RedisClient, Script, store_errors
from brokertape.tape.events import HistoryEvent
from brokertape.tape.keys import Keys

# Longer than the most days that can be asked for reach back: a date that is forgotten is never asked for again.
REMEMBERED_MS = 500 * 86_400_000
CODES_A_READ = 1000

_HISTORY = Script(resources.files("brokertape.publisher").joinpath("history.lua").read_text())


class HistoryStore:
    """Writes each past day of a code once, however often it is told to. Raises StoreError.

    A write that raised StoreUnavailable is in doubt: repeat the very same one, it is done once.
    """

    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def known(self, dates: Sequence[str], codes: Sequence[str]) -> Marks:
        """What is remembered of `codes` on `dates`."""
        return {date: await self._known_on(date, codes) for date in dates}

    async def publish(self, event: HistoryEvent, commit: str, *, again: bool = False) -> bool:
        """Put `event` on the stream; False if its code and date are there already, by whomever.

        Args:
            event: The list of a past day.
            commit: Random id of this write, kept when it is repeated.
            again: Also if it is there, by another commit than this.
        """
        entry = encode_entry(event)
        fields = [entry[name] for name in ("topic", "type", "encoding", "payload")]
        mode = "again" if again else "publish"
        return await self._write(event.data.trading_date, mode, event.data.code, commit, *fields)

    async def absent(self, code: str, date: str, known: Known) -> None:
        """Remember that the gateway has no list of `code` for `date`, unless there is one."""
        await self._write(date, "absent", code, f"{'end' if known.is_end else 'absent'} {known.absent_on}")

    async def _write(self, date: str, mode: str, code: str, *rest: str | bytes) -> bool:
        keys = [self._keys.history, self._memory(date)]
        with store_errors():
            return bool(await _HISTORY.run(self._client, keys, [mode, code, REMEMBERED_MS, *rest]))

    async def _known_on(self, date: str, codes: Sequence[str]) -> dict[str, Known]:
        known: dict[str, Known] = {}
        for begin in range(0, len(codes), CODES_A_READ):
            part = codes[begin : begin + CODES_A_READ]
            with store_errors():
                stored = cast("list[bytes | None]", await self._client.hmget(self._memory(date), list(part)))
            known |= {code: _known(text) for code, text in zip(part, stored, strict=True) if text is not None}
        return known

    def _memory(self, date: str) -> str:
        return self._keys.private(f"past:{date}", slot_of=self._keys.history)


def _known(text: bytes) -> Known:
    what, _, detail = text.decode().partition(" ")
    return Known() if what == "published" else Known(absent_on=detail, is_end=what == "end")
