"""The storage worker: the tape as a database. Needs the extra `store`."""

from brokertape.workers.storage.counts import StorageCounts, StoreCounts
from brokertape.workers.storage.errors import (
    CannotOpen,
    DatabaseBroken,
    DatabaseUnavailable,
    NotOurDatabase,
    Unstorable,
    UnsupportedDatabase,
    WrongSchema,
)
from brokertape.workers.storage.storage import Storage, StoredPositions
from brokertape.workers.storage.store import StoreSettings, store

__all__ = [
    "CannotOpen",
    "DatabaseBroken",
    "DatabaseUnavailable",
    "NotOurDatabase",
    "Storage",
    "StorageCounts",
    "StoreCounts",
    "StoreSettings",
    "StoredPositions",
    "Unstorable",
    "UnsupportedDatabase",
    "WrongSchema",
    "store",
]
