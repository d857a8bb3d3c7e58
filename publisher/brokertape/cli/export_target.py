"""Where an export goes: a file that is there only when it is whole, or standard output."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from brokertape.cli.faults import CommandError

STDOUT = "-"


class ExportError(CommandError):
    """Raised when an export cannot be written where it is to go."""


def check_target(target: str, *, is_forced: bool) -> None:
    """Look whether `target` can be meant, before any work is done.

    Raises:
        ExportError: Something is there, and it is no file or must not be replaced.
    """
    path = Path(target)
    if target == STDOUT or not path.exists():
        return
    if not path.is_file():
        raise ExportError(f"{target} is no file")  # a device would be replaced by one
    if not is_forced:
        raise ExportError(f"{target} is there already: --force replaces it")


@contextmanager
def opened(target: str) -> Iterator[BinaryIO]:
    """A stream to `target`. A file is written beside it, readable for its owner alone, and takes its name at the end.

    Raises:
        ExportError: There is no such directory, no room, no right to write.
    """
    if target == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(target).resolve()
    try:
        with _part(path) as stream:
            yield stream
    except OSError as error:
        raise ExportError(f"{target}: {error.strerror or error}") from error


@contextmanager
def _part(path: Path) -> Iterator[BinaryIO]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
