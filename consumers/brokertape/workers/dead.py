"""Dead letters: what groups gave up on, to be looked at, tried again, or dropped."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from importlib import resources
from typing import Any

from brokertape.tape.connection import RedisClient, Script, store_errors
from brokertape.tape.errors import InvalidPosition, StoreRefused
from brokertape.tape.keys import Keys
from brokertape.tape.start import is_entry_id
from brokertape.workers.alert_keys import AlertKeys, outbox_streams
from brokertape.workers.channel import HISTORY, TAPE, Stream

_STREAMS: Mapping[str, Callable[[Keys, str], list[Stream]]] = {
    TAPE.name: TAPE.streams,
    HISTORY.name: HISTORY.streams,
    "alerts": outbox_streams,
}
_REVIVE = Script(resources.files("brokertape.workers").joinpath("revive.lua").read_text())
_REVIVED = "revived"  # the consumer that revived entries are put down to until a worker takes them over
_LONG_IDLE_MS = 86_400_000
_PAGE = 200
_OURS = ("entry_id", "attempts", "error", "consumer")


class Fate(Enum):
    """What became of a dead letter that was to be tried again."""

    REVIVED = auto()
    """It is pending again; a worker of the group takes it over at its next upkeep."""
    GONE = auto()
    """There is no such letter."""
    TRIMMED = auto()
    """Its entry is no longer on the stream: only what the letter says of it is left."""
    PASSED = auto()
    """Its group judges by rules, each partition in order, and is beyond it."""


_FATES = {b"OK": Fate.REVIVED, b"GONE": Fate.GONE, b"TRIMMED": Fate.TRIMMED}


@dataclass(frozen=True, slots=True, order=True)
class LetterId:
    """Which letter of a group: `<channel>/<partition>/<id>`, or `<partition>/<id>` for one of the tape."""

    channel: str
    partition: int
    letter_id: str

    @classmethod
    def of(cls, text: str) -> "LetterId":
        """The id as `str` writes it.

        Raises:
            InvalidPosition: It is none.
        """
        *channel, partition, letter_id = ["", *text.split("/")][-3:]
        name = "".join(channel) or "tape"
        is_known = name in _STREAMS
        if not (is_known and text.count("/") in (1, 2) and partition.isdecimal() and is_entry_id(letter_id)):
            raise InvalidPosition(
                f"{text!r} is no dead letter: name it as `brokertape dead list` does, 5/1778198400000-0"
            )
        return cls(name, int(partition), letter_id)

    def __str__(self) -> str:
        return f"{'' if self.channel == 'tape' else f'{self.channel}/'}{self.partition}/{self.letter_id}"


@dataclass(frozen=True, slots=True)
class Letter:
    """An entry that a group gave up on: its fields, its id on the stream, how often it was delivered, and why."""

    id: LetterId
    entry_id: str
    attempts: int
    error: str
    consumer: str
    fields: Mapping[str, str]

    @property
    def died_at(self) -> int:
        """When it was given up, ms since 1970."""
        return int(self.id.letter_id.partition("-")[0])


class DeadLetters:
    """The dead letters of one group. Raises StoreError."""

    def __init__(self, client: RedisClient, keys: Keys, group: str) -> None:
        self._client = client
        self._keys = keys
        self._group = group
        self._streams = {channel: streams(keys, group) for channel, streams in _STREAMS.items()}

    async def count(self) -> int:
        """How many there are."""
        with store_errors():
            return sum([await self._client.xlen(stream.dead) for _, _, stream in self._all()])

    async def all(self) -> AsyncIterator[Letter]:
        """Every letter, partition by partition, the oldest first."""
        for channel, partition, stream in self._all():
            after = "-"
            while page := await self._page(stream, after):
                for letter_id, fields in page:
                    yield _letter(LetterId(channel, partition, letter_id.decode()), fields)
                after = f"({page[-1][0].decode()}"

    async def get(self, letter_id: LetterId) -> Letter | None:
        """One letter; None if it is not there."""
        stream = self._stream(letter_id)
        if stream is None:
            return None
        with store_errors():
            found: Any = await self._client.xrange(stream.dead, letter_id.letter_id, letter_id.letter_id)
        return _letter(letter_id, found[0][1]) if found else None

    async def retry(self, letter_id: LetterId) -> Fate:
        """Give it back to its group: it is as if it had never been tried. In ordered mode it comes out of its turn."""
        stream = self._stream(letter_id)
        if stream is None:
            return Fate.GONE
        if await self._is_judged(letter_id):
            return Fate.PASSED
        arguments = [self._group, letter_id.letter_id, _REVIVED, _LONG_IDLE_MS]
        try:
            with store_errors():
                return _FATES[await _REVIVE.run(self._client, [stream.name, stream.dead], arguments)]
        except StoreRefused as error:
            if "NOGROUP" in str(error):
                raise StoreRefused(f"group {self._group!r} is gone, nobody would take it: start its worker") from error
            raise

    async def drop(self, letter_id: LetterId) -> bool:
        """Forget it for good; whether it was there."""
        stream = self._stream(letter_id)
        if stream is None:
            return False
        with store_errors():
            return bool(await self._client.xdel(stream.dead, letter_id.letter_id))

    async def _is_judged(self, letter_id: LetterId) -> bool:
        """Whether it is of a group that judges by rules: that takes each partition in order and never goes back."""
        with store_errors():
            return letter_id.channel == TAPE.name and bool(
                await self._client.exists(AlertKeys(self._keys, self._group).state)
            )

    def _all(self) -> list[tuple[str, int, Stream]]:
        return [
            (channel, partition, stream)
            for channel, streams in self._streams.items()
            for partition, stream in enumerate(streams)
        ]

    def _stream(self, letter_id: LetterId) -> Stream | None:
        streams: Sequence[Stream] = self._streams[letter_id.channel]
        return streams[letter_id.partition] if letter_id.partition < len(streams) else None

    async def _page(self, stream: Stream, after: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        with store_errors():
            page: Any = await self._client.xrange(stream.dead, after, "+", count=_PAGE)
        return list(page)


def _letter(letter_id: LetterId, fields: Mapping[bytes, bytes]) -> Letter:
    texts = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
    own = {name: texts.pop(name, "") for name in _OURS}
    attempts = int(own["attempts"]) if own["attempts"].isdecimal() else 0
    return Letter(letter_id, own["entry_id"], attempts, own["error"], own["consumer"], texts)
