"""Reading an export row by row, in bounded memory."""

from collections.abc import AsyncGenerator, Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from brokertape.workers.storage.exports import Export, Span
from brokertape.workers.storage.port import Database
from brokertape.workers.storage.table_files import Rows

BATCH_ROWS = 2000  # an event's payload is 2 kB, a rollover's 8 kB


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows, and how much of the span is behind us with them, from 0 to 1."""

    rows: Rows
    share: float


async def batches(
    database: Database, export: Export, span: Span, codes: Collection[str]
) -> AsyncGenerator[Batch, None]:
    """The rows of `export` within `span`, of `codes` or of all.

    Raises:
        InvalidPosition: The span cannot be meant.
    """
    place = [column.name for column in export.columns].index(export.by.name)
    async with database.connect() as connection:
        first, last = (await connection.execute(export.ends(span))).one()
        query = export.rows(span, codes).execution_options(yield_per=BATCH_ROWS)
        result = await connection.stream(query)
        async for rows in result.partitions():
            yield Batch(rows, _share(first, rows[-1][place], last))


def _share(first: Any, now: Any, last: Any) -> float:
    begin, at, end = map(_number, (first, now, last))
    return 1.0 if end <= begin else min(1.0, (at - begin) / (end - begin))


def _number(value: Any) -> int:
    return value if isinstance(value, int) else date.fromisoformat(value).toordinal()
