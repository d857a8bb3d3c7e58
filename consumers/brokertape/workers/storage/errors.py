"""What can be wrong with the database, as one clear line each.

SinkUnavailable
└── DatabaseUnavailable     busy, away, disk full, I/O error: try again
SinkBroken
└── DatabaseBroken          trying again is useless
    ├── UnsupportedDatabase     the URL names none that we can use
    ├── CannotOpen              the file or the server does not let us read and write
    ├── NotOurDatabase          it is no database, a damaged one, or holds something else
    └── WrongSchema             another version of brokertape made it
WorkerError
├── Unstorable              one value does not fit, all else goes on
└── ListUnknown             what is stored does not tell the list of a code at a moment
    ├── NeverSeen               the code had no event by then
    ├── EventMissing            one that the list depends on is not stored
    └── EventBroken             one does not lead to the rows that its hash is of
"""

from brokertape.workers.errors import SinkBroken, SinkUnavailable, WorkerError


class DatabaseUnavailable(SinkUnavailable):
    """Raised when the database does not answer now: away, locked by another, disk full, I/O error."""


class DatabaseBroken(SinkBroken):
    """Raised when no later try can succeed: the root of what is wrong with the database itself."""


class UnsupportedDatabase(DatabaseBroken):
    """Raised when a database URL is neither a file nor one of a kind that we know."""


class CannotOpen(DatabaseBroken):
    """Raised when the file cannot be read or written where it is, or the server refuses login, rights or database."""


class NotOurDatabase(DatabaseBroken):
    """Raised when it is no database, is damaged, is empty, or holds the tables of something else."""


class WrongSchema(DatabaseBroken):
    """Raised when the tables were made by another version."""


class Unstorable(WorkerError):
    """Raised when an event holds a value that the database cannot; it is held against that event."""


class ListUnknown(WorkerError):
    """Raised when what is stored does not tell the list of a code at a moment."""


class NeverSeen(ListUnknown):
    """Raised when a code had no event by then."""


class EventMissing(ListUnknown):
    """Raised when an event is not stored that the list depends on."""

    def __init__(self, event_id: str) -> None:
        super().__init__(f"event {event_id} is not stored, so the list cannot be told until the next complete one")
        self.event_id = event_id


class EventBroken(ListUnknown):
    """Raised when an event cannot be read, or does not lead to the rows that its hash is of."""

    def __init__(self, event_id: str) -> None:
        super().__init__(
            f"event {event_id} does not lead to the rows that its hash is of, so the list cannot be told until the "
            "next complete one"
        )
        self.event_id = event_id
