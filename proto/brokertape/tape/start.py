"""Where reading a stream begins, for whoever has no position of its own yet."""

import re
from datetime import datetime

from brokertape.tape.errors import InvalidPosition
from brokertape.tape.market_time import HKT

FIRST_ID = "0-0"  # before every entry there can be
_LAST_OF_MS = 2**64 - 1
_ENTRY_ID = re.compile("[0-9]{1,20}-[0-9]{1,20}")


def since(moment: datetime | str) -> str:
    """The entry id to read after, so as to have all from `moment` on, or all that follows an entry.

    Args:
        moment: A time, or an entry id. A time without a zone, as in "2026-05-08 14:30", is market time.

    Raises:
        InvalidPosition: It is neither.
    """
    if isinstance(moment, str):
        if is_entry_id(moment):
            return moment
        moment = _time_of(moment, "neither an entry id nor a time")
    return f"{max(0, _ms_of(moment) - 1)}-{_LAST_OF_MS}"


def moment_ms(text: str) -> int:
    """A time in ms since 1970. Without a zone, as in "2026-05-08 14:30", it is market time.

    Raises:
        InvalidPosition: It is no time.
    """
    return _ms_of(_time_of(text, "no time"))


def _ms_of(moment: datetime) -> int:
    at = moment if moment.tzinfo is not None else moment.replace(tzinfo=HKT)
    return round(at.timestamp() * 1000)


def _time_of(text: str, fault: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidPosition(f"{text!r} is {fault} such as 2026-05-08 14:30") from error


def is_entry_id(text: str) -> bool:
    """Whether `text` is the id of an entry (`<ms>-<seq>`)."""
    return _ENTRY_ID.fullmatch(text) is not None and max(id_order(text)) <= _LAST_OF_MS


def id_order(entry_id: str) -> tuple[int, int]:
    """The sort key of an entry id (`<ms>-<seq>`): as text, 10-0 would come before 9-0.

    Raises:
        ValueError: It is no entry id.
    """
    ms, _, seq = entry_id.partition("-")
    return int(ms), int(seq or 0)
