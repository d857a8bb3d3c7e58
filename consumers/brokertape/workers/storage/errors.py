"""What can be wrong with the database, as one clear line each.

SinkUnavailable
└── DatabaseUnavailable     busy, disk full, I/O error: try again
SinkBroken
└── DatabaseBroken          trying again is useless
    ├── UnsupportedDatabase     the URL names none that we can use
    ├── CannotOpen              the file cannot be read and written where it is
    ├── NotOurDatabase          the file is no database, a damaged one, or holds something else
    └── WrongSchema             another version of brokertape made it
WorkerError
└── Unstorable              one value does not fit, all else goes on
"""

from brokertape.workers.errors import SinkBroken, SinkUnavailable, WorkerError


class DatabaseUnavailable(SinkUnavailable):
    """Raised when the database does not take a write now: locked by another, disk full, I/O error."""


class DatabaseBroken(SinkBroken):
    """Raised when no later try can succeed: the root of what is wrong with the database itself."""


class UnsupportedDatabase(DatabaseBroken):
    """Raised when a database URL is neither a path nor `sqlite:///PATH`."""


class CannotOpen(DatabaseBroken):
    """Raised when the file cannot be created, read or written where it is."""


class NotOurDatabase(DatabaseBroken):
    """Raised when the file is not a database, is damaged, or holds the tables of something else."""


class WrongSchema(DatabaseBroken):
    """Raised when the tables were made by another version."""


class Unstorable(WorkerError):
    """Raised when an event holds a value that the database cannot; it is held against that event."""
