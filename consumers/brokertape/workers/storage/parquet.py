"""Rows as Parquet. Needs the extra `parquet`."""

from collections.abc import Sequence
from typing import Any, BinaryIO

import pyarrow  # type: ignore[import-untyped]
from pyarrow.parquet import ParquetWriter  # type: ignore[import-untyped]
from sqlalchemy import BigInteger, Column, Float, Integer, Text

from brokertape.workers.storage.exports import unit_of
from brokertape.workers.storage.schema import SCHEMA_VERSION
from brokertape.workers.storage.table_files import Rows

# A row group is what is kept in memory: large enough to be read well, small enough to be held.
GROUP_ROWS = 100_000
GROUP_BYTES = 32 << 20

_TYPES = {Text: pyarrow.string(), BigInteger: pyarrow.int64(), Integer: pyarrow.int32(), Float: pyarrow.float64()}


class ParquetFile:
    """Columns typed as in the database, compressed with zstd; a column's unit stands in its metadata."""

    def __init__(self, stream: BinaryIO, columns: Sequence[Column[Any]]) -> None:
        self._schema = pyarrow.schema(map(_field, columns), metadata={"brokertape.schema": str(SCHEMA_VERSION)})
        self._writer = ParquetWriter(stream, self._schema, compression="zstd")
        self._batches: list[Any] = []
        self._rows = self._bytes = 0

    def write(self, rows: Rows) -> None:
        """As TableFile has it."""
        arrays = [
            pyarrow.array(values, field.type)
            for values, field in zip(zip(*rows, strict=True), self._schema, strict=True)
        ]
        batch = pyarrow.RecordBatch.from_arrays(arrays, schema=self._schema)
        self._batches.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._end_group()

    def close(self) -> None:
        """As TableFile has it."""
        try:
            self._end_group()
        finally:
            self._close_writer()

    def _close_writer(self) -> None:
        try:
            self._writer.close()
        finally:
            self._writer.is_open = False  # else it tries again when it is collected, and complains beside our line

    def _end_group(self) -> None:
        if self._batches:
            self._writer.write_table(pyarrow.Table.from_batches(self._batches), row_group_size=self._rows)
        self._batches, self._rows, self._bytes = [], 0, 0


def _field(column: Column[Any]) -> Any:
    unit = unit_of(column)
    metadata = None if unit is None else {"unit": unit}
    return pyarrow.field(column.name, _TYPES[type(column.type)], metadata=metadata)
