"""The contract as code: what travels over Redis between the publisher and everything that subscribes.

Pure values and rules, no I/O. `docs/` describes the same in words.
"""

from brokertape.tape.book import Book
from brokertape.tape.changes import Change, Flow, Kind, apply
from brokertape.tape.codec import decode_entry, encode_entry
from brokertape.tape.errors import ApplyError, DecodeError, InvalidCode, InvalidKeys, TapeError, UnknownEventType
from brokertape.tape.events import (
    BaselineEvent,
    Broken,
    ChangeEvent,
    CorrectionEvent,
    Event,
    HistoryEvent,
    RolloverEvent,
    StatusEvent,
    TapeEvent,
    WatermarkEvent,
)
from brokertape.tape.keys import Keys, check_code, partition_of
from brokertape.tape.rows import ListView, Row, Side, hash_rows

__all__ = [
    "ApplyError",
    "BaselineEvent",
    "Book",
    "Broken",
    "Change",
    "ChangeEvent",
    "CorrectionEvent",
    "DecodeError",
    "Event",
    "Flow",
    "HistoryEvent",
    "InvalidCode",
    "InvalidKeys",
    "Keys",
    "Kind",
    "ListView",
    "RolloverEvent",
    "Row",
    "Side",
    "StatusEvent",
    "TapeError",
    "TapeEvent",
    "UnknownEventType",
    "WatermarkEvent",
    "apply",
    "check_code",
    "decode_entry",
    "encode_entry",
    "hash_rows",
    "partition_of",
]
