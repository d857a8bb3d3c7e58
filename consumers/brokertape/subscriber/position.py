"""Where a subscription has come to, as a small JSON value that its owner can store."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from brokertape.tape._model import Model
from brokertape.tape.errors import InvalidPosition
from brokertape.tape.start import is_entry_id


class Position(Model):
    """Per tape stream the entry after which to read, and per code the last event told.

    That is its epoch and seq, or None if nothing was told of the code yet.
    """

    streams: dict[str, str]
    codes: dict[str, tuple[int, int] | None]

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> "Position":
        """A position as it was saved.

        Raises:
            InvalidPosition: It is none.
        """
        try:
            position = cls.model_validate(dict(value))
        except (ValidationError, TypeError, ValueError) as error:
            raise InvalidPosition(f"not a saved position: {str(error).splitlines()[0]}") from error
        for entry_id in position.streams.values():
            if not is_entry_id(entry_id):
                raise InvalidPosition(f"not a saved position: {entry_id!r} is no entry id")
        return position
