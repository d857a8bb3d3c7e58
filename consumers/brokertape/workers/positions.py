"""How far a group has come, remembered outside Redis, so that a lost group can be rebuilt."""

import os
import tempfile
from collections.abc import Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Annotated, Protocol

from pydantic import AfterValidator, TypeAdapter, ValidationError

from brokertape.tape.start import id_order, is_entry_id
from brokertape.workers.errors import SinkBroken, SinkUnavailable
from brokertape.workers.group import Standing


def _entry_id(text: str) -> str:
    if not is_entry_id(text):
        raise ValueError("no entry id")
    return text


_POSITIONS: TypeAdapter[dict[int, str]] = TypeAdapter(dict[int, Annotated[str, AfterValidator(_entry_id)]])


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


class FilePositions:
    """Positions in a small file, for handlers without a database. It is replaced as a whole, never half written.

    Raises:
        SinkBroken: The file is there and holds something else.
        SinkUnavailable: It cannot be read or written now.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._saved: dict[int, str] = {}

    async def load(self) -> Mapping[int, str]:
        """What was saved last."""
        try:
            self._saved = _POSITIONS.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            self._saved = {}
        except OSError as error:
            raise SinkUnavailable(f"positions {self._path}: {error.strerror}") from error
        except ValidationError as error:
            raise SinkBroken(f"positions {self._path}: not a file of ours, choose another") from error
        return dict(self._saved)

    async def save(self, positions: Mapping[int, str]) -> None:
        """Remember `positions`."""
        self._saved.update(positions)
        try:
            descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix=f"{self._path.name}.")  # mode 0600
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(_POSITIONS.dump_json(self._saved))
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(name, self._path)
            except OSError:
                os.unlink(name)
                raise
        except OSError as error:
            raise SinkUnavailable(f"positions {self._path}: {error.strerror}") from error


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
