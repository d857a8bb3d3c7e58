"""Rows as a file: CSV here, Parquet in `parquet`, which needs the extra of that name."""

import codecs
import csv
from collections.abc import Sequence
from typing import Any, BinaryIO, Protocol

from sqlalchemy import Column

Rows = Sequence[Sequence[Any]]


class TableFile(Protocol):
    """A table that grows by batches of rows, in the order of its columns."""

    def write(self, rows: Rows) -> None:
        """Append `rows`."""

    def close(self) -> None:
        """Write what is left; the stream stays open. To be called in any case, also when `write` failed."""


class CsvFile:
    """A header and a line per row, in UTF-8; an absent value is empty."""

    def __init__(self, stream: BinaryIO, columns: Sequence[Column[Any]]) -> None:
        # Not a TextIOWrapper: thrown away, it would close the stream, which may be standard output.
        self._writer = csv.writer(codecs.getwriter("utf-8")(stream), lineterminator="\n")
        self._writer.writerow([column.name for column in columns])

    def write(self, rows: Rows) -> None:
        """As TableFile has it."""
        self._writer.writerows(rows)

    def close(self) -> None:
        """As TableFile has it."""
