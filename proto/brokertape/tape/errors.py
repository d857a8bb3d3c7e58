"""Everything that can be wrong with what travels on the tape, and with Redis, which carries it.

TapeError
├── InvalidCode
├── InvalidKeys
├── InvalidPosition
├── DecodeError
│   └── UnknownEventType
├── ApplyError
├── EndOfTape
└── StoreError
    ├── StoreUnavailable
    ├── StoreRefused
    ├── TapeMismatch
    └── TapeTaken
"""


class TapeError(Exception):
    """The root: raised for anything that does not fit the contract."""


class InvalidCode(TapeError, ValueError):
    """Raised when a stock code is not of the form `HK.00700`."""


class InvalidKeys(TapeError, ValueError):
    """Raised when a key prefix, a name in a key or a partition count cannot be used."""


class InvalidPosition(TapeError, ValueError):
    """Raised when what should be a saved position, a time or an entry id is none."""


class DecodeError(TapeError, ValueError):
    """Raised when a stream entry or a book cannot be read as the contract describes it."""


class UnknownEventType(DecodeError):
    """Raised for an event type this version does not know; a subscriber skips and counts it."""

    def __init__(self, event_type: str) -> None:
        super().__init__(f"unknown event type {event_type!r}")
        self.event_type = event_type


class ApplyError(TapeError):
    """Raised when a change does not fit the rows it is applied to: the holder must reread the book."""


class EndOfTape(TapeError):
    """Raised by a source that has an end, a recording, when it is reached: whoever follows it ends as well."""


class StoreError(TapeError):
    """The root of what Redis itself can answer or fail to answer."""


class StoreUnavailable(StoreError):
    """Raised when Redis cannot be reached or did not answer: whether a write happened is not known."""


class StoreRefused(StoreError):
    """Raised when Redis answered with an error: wrong password, no rights, out of memory, a foreign key type."""


class TapeMismatch(StoreError):
    """Raised when the tape in Redis was made with another schema or partition count."""


class TapeTaken(StoreError):
    """Raised when a tape that is to be made is there already, or somebody else writes to it."""
