"""Where a subscription begins: now, at the earliest, since a moment, or where it was left."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Protocol

from brokertape.subscriber.position import Position
from brokertape.tape.errors import InvalidPosition
from brokertape.tape.start import FIRST_ID, id_order, since

StartAt = Literal["now", "earliest"]


class Beginning(Protocol):
    """Stream by stream and code by code."""

    position: Position | None
    """Where an earlier subscription was left, if it goes on from there."""

    def after_ids(self, last_ids: Mapping[str, str]) -> Mapping[str, str]:
        """Tape → the entry id after which it is read; `last_ids` are the last ones given out."""

    def tip_of(self, code: str) -> tuple[int, int] | None:
        """Epoch and seq of the last event of `code` that was told before, if that is known."""

    def is_joined(self, code: str) -> bool:
        """Whether `code` begins with the stored book, not with events."""


class Now:
    """With the stored books, then what comes."""

    position: Position | None = None

    def after_ids(self, last_ids: Mapping[str, str]) -> Mapping[str, str]:
        """The ends."""
        return last_ids

    def tip_of(self, _code: str) -> None:
        """Nothing was told before."""

    def is_joined(self, _code: str) -> bool:
        """Every code is."""
        return True


class After:
    """With the events that came after an entry id, the same for every stream: ids are times."""

    position: Position | None = None

    def __init__(self, entry_id: str) -> None:
        self._entry_id = entry_id

    def after_ids(self, last_ids: Mapping[str, str]) -> Mapping[str, str]:
        """That id, but never beyond an end: what comes next would be skipped."""
        return {stream: min(self._entry_id, last_id, key=id_order) for stream, last_id in last_ids.items()}

    def tip_of(self, _code: str) -> None:
        """Nothing was told before."""

    def is_joined(self, _code: str) -> bool:
        """No code is."""
        return False


class Left:
    """Where an earlier subscription was left; codes it did not have begin now."""

    def __init__(self, position: Position) -> None:
        self.position: Position | None = position
        self._streams = position.streams
        self._codes = position.codes

    def after_ids(self, last_ids: Mapping[str, str]) -> Mapping[str, str]:
        """As saved, but never beyond an end: Redis may have lost what we had."""
        saved = self._streams
        return {stream: min(saved.get(stream, last_id), last_id, key=id_order) for stream, last_id in last_ids.items()}

    def tip_of(self, code: str) -> tuple[int, int] | None:
        """As saved."""
        return self._codes.get(code)

    def is_joined(self, code: str) -> bool:
        """A code that nothing was told of begins with its book."""
        return code not in self._codes


def beginning_of(start: StartAt, moment: datetime | str | None, position: Mapping[str, Any] | None) -> Beginning:
    """The beginning that the arguments of `subscribe` name: the position, if one was saved; else what else they say.

    Raises:
        InvalidPosition: Both `start` and `since` are given, or one is not what it should be.
    """
    if start != "now" and moment is not None:
        raise InvalidPosition("where to begin: give start or since, not both")
    if position is not None:
        return Left(Position.of(position))
    if moment is not None:
        return After(since(moment))
    if start not in ("now", "earliest"):
        raise InvalidPosition(f"start = {start!r}: use 'now' or 'earliest', or since=… for a time or an entry id")
    return Now() if start == "now" else After(FIRST_ID)
