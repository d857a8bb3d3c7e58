"""Where a subscription has come to, as a small JSON value that its owner can store."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import ValidationError, convert, json

from brokertape.subscriber.events import Event, State, Update
from brokertape.tape._model import Model
from brokertape.tape.errors import InvalidPosition
from brokertape.tape.keys import Keys
from brokertape.tape.start import is_entry_id

Version = tuple[int, int]  # epoch and seq


class Position(Model, frozen=True):
    """Per tape stream the entry after which to read, and per code the last event told.

    That is its epoch and seq, or None if nothing was told of the code yet.
    """

    streams: dict[str, str]
    codes: dict[str, Version | None]

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> "Position":
        """A position as it was saved.

        Raises:
            InvalidPosition: It is none.
        """
        if not isinstance(value, Mapping):
            raise InvalidPosition(f"not a saved position: {str(value)[:64]!r}; give the value, not its JSON text")
        try:
            position = convert(value, cls)
        except ValidationError as error:
            raise InvalidPosition(f"not a saved position: {error}") from error
        for entry_id in position.streams.values():
            if not is_entry_id(entry_id):
                raise InvalidPosition(f"not a saved position: {entry_id!r} is no entry id")
        return position


class Bookmark:
    """The position while a subscription runs: moved on by what its owner is given, not by what is read ahead."""

    def __init__(self, left: Position | None) -> None:
        self._streams: dict[str, str] = {} if left is None else dict(left.streams)
        self._codes: dict[str, Version | None] = {} if left is None else dict(left.codes)

    def begin(self, after_ids: Mapping[str, str], codes: Iterable[str]) -> None:
        """Reading of `codes` begins after these entries of their tapes; nothing was given of them yet."""
        self._streams.update(after_ids)
        for code in codes:
            self._codes.setdefault(code, None)

    def give(self, event: Event, keys: Keys) -> None:
        """`event` was handed over."""
        match event:
            case Update():
                self._codes[event.code] = (event.event.data.epoch, event.event.data.seq)
                self._streams[keys.tape_of(event.code)] = event.entry_id
            case State():
                self._codes[event.code] = None if event.book is None else event.book.version
            case _:
                pass

    @property
    def value(self) -> dict[str, Any] | None:
        """The position as JSON; None as long as there is none to go on from."""
        if not self._streams:
            return None
        position: dict[str, Any] = json.decode(json.encode(Position(streams=self._streams, codes=self._codes)))
        return position
