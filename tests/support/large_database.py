"""A database with far more rows than an export may hold in memory, made by the database itself."""

from pathlib import Path

from brokertape.workers.storage.database import open_database

CHANGES_PER_EVENT = 3

_NUMBERS = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n)",
    "postgresql": "generate_series(1, {count})",
}
_EVENT = (
    "'HK.00700/1778198400000/' || i, 'brokertape.change.v1', 'HK.00700', 1778198400000, i, '2026-05-08', 1778198400,"
    " 1778198400000 + i, 1778198401000 + i, 1778198401001 + i, '0123456789abcdef', 'a payload of some length ' || i"
)
_CHANGE = (
    "'HK.00700/1778198400000/' || ((i + 2) / 3), i - 3 * (i / 3), 'Broker number ' || i, NULL, 'net', 'buy', 1, i,"
    " 465.5, 1000.0 + i, 465500.0, 'buy', 1, i + 1, 465.5 + i, 2000.0 + i, 931000.0 + i, 1, 1, 0, 465.5, 465.5"
)


async def fill(url: str | Path, changes: int) -> None:
    """Make so many changes, three an event."""
    async with open_database(url) as database, database.begin() as connection:
        numbers = _NUMBERS[connection.dialect.name]
        for table, values, count in (("events", _EVENT, changes // CHANGES_PER_EVENT), ("changes", _CHANGE, changes)):
            rows = f"SELECT {values} FROM {numbers.format(count=count)} AS n(i)"
            if connection.dialect.name == "sqlite":
                rows = rows.replace("AS n(i)", "")
            await connection.exec_driver_sql(f"INSERT INTO {table} {rows}")
