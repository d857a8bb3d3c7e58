"""How far a group has come, remembered outside Redis, so that a lost group can be rebuilt."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Protocol

from brokertape.tape.start import id_order
from brokertape.workers.group import Standing


class Positions(Protocol):
    """Per partition an entry id up to which every effect is durable. It may lie behind the truth, never ahead of it.

    It lives with the effect, not in Redis: what takes the group (FLUSHALL, a restored disk) would take a key beside
    it as well. Both calls may raise SinkUnavailable or SinkBroken.
    """

    async def load(self) -> Mapping[int, str]:
        """What was saved last."""

    async def save(self, positions: Mapping[int, str]) -> None:
        """Remember `positions`; partitions that are not in it keep theirs."""


class MemoryPositions:
    """Positions that last as long as the process, for handlers without a database and for tests."""

    def __init__(self) -> None:
        self._saved: dict[int, str] = {}

    async def load(self) -> Mapping[int, str]:
        """What was saved last."""
        return dict(self._saved)

    async def save(self, positions: Mapping[int, str]) -> None:
        """Remember `positions`."""
        self._saved.update(positions)


class Verdict(Enum):
    """What a worker finds when it joins its group on a partition."""

    FIRST = auto()
    """There never was a group: create it where the settings say."""
    FINE = auto()
    """Read on."""
    LOST = auto()
    """It was there and is gone: rebuild it from the saved position."""
    ROLLED_BACK = auto()
    """Redis lost the end of the tape, and with it the group's state: both fit together, read on, but say so."""
    AHEAD = auto()
    """The group stands beyond the end of the tape and would skip what comes: move it back."""


def judge(standing: Standing | None, saved: str | None) -> Verdict:
    """What the group's `standing` means to somebody who had come to `saved`."""
    if standing is None:
        return Verdict.FIRST if saved is None else Verdict.LOST
    last_generated = id_order(standing.last_generated)
    if id_order(standing.last_delivered) > last_generated:
        return Verdict.AHEAD
    if saved is not None and id_order(saved) > last_generated:
        return Verdict.ROLLED_BACK
    return Verdict.FINE
