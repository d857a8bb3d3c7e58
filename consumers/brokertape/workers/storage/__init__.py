"""The storage worker: the tape as a database. Needs the extra `store`."""

from brokertape.workers.storage.counts import StorageCounts, StoreCounts
from brokertape.workers.storage.database import open_database, open_readonly
from brokertape.workers.storage.errors import (
    CannotOpen,
    DatabaseBroken,
    DatabaseUnavailable,
    NotOurDatabase,
    Unstorable,
    UnsupportedDatabase,
    WrongSchema,
)
from brokertape.workers.storage.history import HistoryStorage
from brokertape.workers.storage.port import Database
from brokertape.workers.storage.storage import Storage, StoredPositions
from brokertape.workers.storage.store import StoreSettings, store

__all__ = [
    "CannotOpen",
    "Database",
    "DatabaseBroken",
    "DatabaseUnavailable",
    "HistoryStorage",
    "NotOurDatabase",
    "Storage",
    "StorageCounts",
    "StoreCounts",
    "StoreSettings",
    "StoredPositions",
    "Unstorable",
    "UnsupportedDatabase",
    "WrongSchema",
    "open_database",
    "open_readonly",
    "store",
]
