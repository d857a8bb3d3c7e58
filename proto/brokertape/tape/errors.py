"""Everything that can be wrong with what travels on the tape.

TapeError
├── InvalidCode
├── InvalidKeys
├── DecodeError
│   └── UnknownEventType
└── ApplyError
"""


class TapeError(Exception):
    """The root: raised for anything that does not fit the contract."""


class InvalidCode(TapeError, ValueError):
    """Raised when a stock code is not of the form `HK.00700`."""


class InvalidKeys(TapeError, ValueError):
    """Raised when a key prefix, a name in a key or a partition count cannot be used."""


class DecodeError(TapeError, ValueError):
    """Raised when a stream entry or a book cannot be read as the contract describes it."""


class UnknownEventType(DecodeError):
    """Raised for an event type this version does not know; a subscriber skips and counts it."""

    def __init__(self, event_type: str) -> None:
        super().__init__(f"unknown event type {event_type!r}")
        self.event_type = event_type


class ApplyError(TapeError):
    """Raised when a change does not fit the rows it is applied to: the holder must reread the book."""
