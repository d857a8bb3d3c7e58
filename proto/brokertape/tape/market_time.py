"""Time as the tape writes it: ms or s since 1970, dates in market time (UTC+8, no daylight saving)."""

import time
from datetime import datetime, timedelta, timezone

HKT = timezone(timedelta(hours=8), "HKT")


def trading_date_of(epoch_s: float) -> str:
    """The market date (`YYYY-MM-DD`, UTC+8) of a moment in seconds since 1970."""
    return datetime.fromtimestamp(epoch_s, HKT).date().isoformat()


def rfc3339(epoch_ms: int) -> str:
    """A moment in ms since 1970 as CloudEvents writes it: `2026-05-08T08:00:21.467Z`."""
    seconds, ms = divmod(epoch_ms, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{ms:03d}Z"  # a third of datetime's time


def wall_clock_ms() -> int:
    """The system's clock, ms since 1970."""
    return time.time_ns() // 1_000_000
