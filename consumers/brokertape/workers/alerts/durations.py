"""Times as the file of rules writes them: `90s`, `5m`, `1h30m`. Pure."""

import re
from typing import Annotated

from pydantic import BeforeValidator

MOST_MS = 86_400_000  # windows and cooldowns: what was traded yesterday counts no more

_DURATION = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", re.ASCII)
_UNITS_MS = (86_400_000, 3_600_000, 60_000, 1_000)


def _duration_ms(text: object) -> object:
    """`90s`, `5m`, `1h30m` in ms."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) and text else None
    if found is None:
        raise ValueError("write a time as 90s, 5m or 1h30m")
    duration_ms = sum(int(part or 0) * unit for part, unit in zip(found.groups(), _UNITS_MS, strict=True))
    if not 0 < duration_ms <= MOST_MS:
        raise ValueError("use more than nothing, and a day at the most")
    return duration_ms


Duration = Annotated[int, BeforeValidator(_duration_ms)]
"""In ms."""
