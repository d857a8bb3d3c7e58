"""What the storage needs of a database, whichever it is. One seam a database: `sqlite`, `postgresql`."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, ClassVar

from sqlalchemy import Table, exc
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from brokertape.workers.errors import WorkerError
from brokertape.workers.storage.errors import DatabaseUnavailable, Unstorable

POOL_TIMEOUT_S = 60.0

Value = str | int | float | None
Record = tuple[Value, ...]
"""A row, its values in the order of the table's columns."""


class Database(ABC):
    """An open database. Whatever its driver raises leaves `begin` and `connect` as an error of ours, cause kept.

    Args:
        engine: Its connections.
        name: What error lines call it; without secrets.
    """

    driver_error: ClassVar[type[Exception]]
    """The root of what its driver raises."""

    elsewhere: ClassVar[str]
    """What to do when it belongs to something else."""

    def __init__(self, engine: AsyncEngine, name: str) -> None:
        self.engine = engine
        self.name = name

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction, which is durable once the block has ended well."""
        with self._errors():
            async with self.engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read with."""
        with self._errors():
            async with self.engine.connect() as connection:
                yield connection

    @abstractmethod
    async def lock_schema(self, connection: AsyncConnection) -> None:
        """From here to the end of the transaction nobody else looks at the tables to make them."""

    @abstractmethod
    async def lock_books(self, connection: AsyncConnection, codes: Collection[str]) -> None:
        """From here to the end of the transaction the books of `codes` are nobody else's to move.

        What is read afterwards holds everything that the owners before have committed.
        """

    @abstractmethod
    async def insert_new(self, connection: AsyncConnection, table: Table, records: Iterable[Record]) -> int:
        """Insert the `records` whose key is not there yet; how many those were."""

    @abstractmethod
    async def replace(self, connection: AsyncConnection, table: Table, records: Iterable[Record]) -> None:
        """Insert the `records`, no two of one key, over those of the same key."""

    @abstractmethod
    def translated(self, error: Any) -> WorkerError:
        """An exception of the driver, a `driver_error`, as one of ours."""

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (OverflowError, UnicodeError) as error:
            raise Unstorable(f"{self.name} cannot hold a value: {error}") from error
        except exc.TimeoutError as error:
            raise DatabaseUnavailable(f"{self.name}: no connection within {POOL_TIMEOUT_S:.0f} s") from error
        except exc.DBAPIError as error:
            raise self.translated(error.orig) from error
        except self.driver_error as error:  # of a COPY, which goes past SQLAlchemy
            raise self.translated(error) from error
