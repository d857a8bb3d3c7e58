"""`brokertape export`: a table of the database as a file."""

import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import Any, BinaryIO

from sqlalchemy import Column

from brokertape.cli.export_progress import Tally, shown
from brokertape.cli.export_target import STDOUT, ExportError, check_target, opened
from brokertape.cli.faults import OK
from brokertape.cli.settings import Settings
from brokertape.tape.keys import check_code
from brokertape.workers.storage.database import open_readonly
from brokertape.workers.storage.export import batches
from brokertape.workers.storage.exports import EXPORTS, Span
from brokertape.workers.storage.port import Database
from brokertape.workers.storage.table_files import CsvFile, TableFile

PARQUET, CSV = "parquet", "csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be exported, and where to.

    Args:
        table: A name of EXPORTS.
        file_format: PARQUET or CSV.
        span: Of which time.
        codes: Of which codes; of all if there are none.
        output: The file, `-` for standard output; by default named after the table, in the current directory.
        is_forced: Whether it may replace a file.
    """

    table: str
    file_format: str
    span: Span
    codes: Sequence[str]
    output: str | None
    is_forced: bool

    @property
    def target(self) -> str:
        """The output in force."""
        return self.output or f"{self.table}.{self.file_format}"


async def export(settings: Settings, *, wish: Wish) -> int:
    """Write what is wished for. The file appears when it is whole; ended before, the command leaves nothing.

    Raises:
        ExportError: It cannot be written there.
        InvalidPosition, InvalidCode: The span or a code cannot be meant.
    """
    for code in wish.codes:
        check_code(code)
    if wish.file_format == PARQUET and wish.target == STDOUT:
        raise ExportError("Parquet needs a file that can be read back: give --output FILE, or --format csv")
    check_target(wish.target, is_forced=wish.is_forced)
    make = _maker(wish.file_format)
    async with open_readonly(settings.store.database) as database:
        with (
            shown(wish.table) as tally,
            opened(wish.target) as stream,
            closing(make(stream, EXPORTS[wish.table].columns)) as file,
        ):
            await _write(database, wish, file, tally)
    if wish.target != STDOUT:
        sys.stderr.write(f"{tally.rows} rows in {wish.target}\n")
    return OK


def _maker(file_format: str) -> Callable[[BinaryIO, Sequence[Column[Any]]], TableFile]:
    if file_format == CSV:
        return CsvFile
    from brokertape.workers.storage.parquet import ParquetFile  # who writes CSV needs no pyarrow

    return ParquetFile


async def _write(database: Database, wish: Wish, file: TableFile, tally: Tally) -> None:
    async with aclosing(batches(database, EXPORTS[wish.table], wish.span, wish.codes)) as found:
        async for batch in found:
            file.write(batch.rows)
            tally.add(len(batch.rows), batch.share)
