"""An alert: what a rule found, with an id that is the same however often it is found."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from brokertape.workers.alerts.expression import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What a rule found. `since` and `at` in ms since 1970: it happened in between, and was seen at `at`.

    `broker` is empty where the rule is not about one. `values` are the fields that its conditions asked.
    """

    id: str
    rule: str
    code: str
    broker: str
    event_id: str
    trading_date: str
    since: int | None
    at: int
    message: str
    values: Mapping[str, Value]


def alert_id(rule: str, key: str, event_id: str) -> str:
    """`<event id>/<rule>`, and for a broker 8 hex digits of its key's SHA-256: names hold any character."""
    digest = f"/{hashlib.sha256(key.encode()).hexdigest()[:8]}" if key else ""
    return f"{event_id}/{rule}{digest}"
