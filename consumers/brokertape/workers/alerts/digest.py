"""Many alerts as one. Pure."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from brokertape.tape.market_time import rfc3339
from brokertape.tape.wording import clock_time
from brokertape.workers.alerts.alert import Alert
from brokertape.workers.alerts.event import MOST_TOLD, Digest, DigestEvent

LATE = "late"
LIMIT = "limit"

_REASONS = {LATE: "late: from before now, told together", LIMIT: "more than the sink takes a minute"}
_LINES = 20  # alerts that the message itself spells out
_RULES = 8  # rules that it counts


def digest_event(alerts: Sequence[Alert], more: int, reason: str, group: str, source: str) -> DigestEvent:
    """One event for `alerts` (at least one) and `more` that are not held any longer.

    Its id depends on the alerts alone: made of the same ones again, it is the same.
    """
    told, at = tuple(alerts[:MOST_TOLD]), max(alert.at for alert in alerts)
    more += len(alerts) - len(told)
    digest = Digest(reason=reason, at=at, message=_message(alerts, more, reason), alerts=told, more=more)
    names = "\n".join(alert.id for alert in alerts)
    digest_id = f"digest/{hashlib.sha256(names.encode(errors='surrogatepass')).hexdigest()[:16]}"
    return DigestEvent(source=source, id=digest_id, subject=group, time=rfc3339(at), data=digest)


def _message(alerts: Sequence[Alert], more: int, reason: str) -> str:
    """A line with what they are, then the last of them."""
    first, last = min(alert.at for alert in alerts), max(alert.at for alert in alerts)
    dates = sorted({alert.trading_date for alert in alerts})
    days = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    total = len(alerts) + more
    by_rule = Counter(alert.rule for alert in alerts).most_common(_RULES)
    counted = ", ".join(f"{rule} {count}" for rule, count in by_rule)
    head = f"{total} alert{'s' * (total != 1)} of {days}, {clock_time(first)} to {clock_time(last)} HKT ({counted})"
    lines = [f"{clock_time(alert.at)}  {alert.message}" for alert in alerts[-_LINES:]]
    if total > len(lines):
        lines.insert(0, f"the last {len(lines)} of them:")
    return "\n".join([f"{head}, {_REASONS[reason]}", *lines])
