"""Many alerts as one. Pure."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from brokertape.tape.market_time import rfc3339, trading_date_of
from brokertape.tape.wording import clock_time
from brokertape.workers.alerts.alert import Alert
from brokertape.workers.alerts.event import MOST_TOLD, Digest, DigestEvent

LATE = "late"
LIMIT = "limit"

_REASONS = {LATE: "late: found after the fact", LIMIT: "more than the sink takes a minute"}
_LINES = 20  # alerts that the message itself spells out
_RULES = 8  # rules that it counts


def digest_event(
    alerts: Sequence[Alert], more: int, first_at: int | None, reason: str, group: str, source: str
) -> DigestEvent:
    """One event for `alerts` (at least one), and `more` before them that are not held any longer, from `first_at` on.

    Its id depends on the alerts alone: made of the same ones again, it is the same.
    """
    told, at = tuple(alerts[-MOST_TOLD:]), max(alert.at for alert in alerts)
    first_at = min(alert.at for alert in alerts) if first_at is None else first_at
    more += len(alerts) - len(told)
    message = _message(told, more, (first_at, at), reason)
    digest = Digest(reason=reason, first_at=first_at, at=at, message=message, alerts=told, more=more)
    names = "\n".join(alert.id for alert in alerts)
    digest_id = f"digest/{hashlib.sha256(names.encode(errors='surrogatepass')).hexdigest()[:16]}"
    return DigestEvent(source=source, id=digest_id, subject=group, time=rfc3339(at), data=digest)


def _message(alerts: Sequence[Alert], more: int, span: tuple[int, int], reason: str) -> str:
    """A line with what they are, then the last of them."""
    first, last = (f"{trading_date_of(at / 1000)} {clock_time(at)}" for at in span)
    total = len(alerts) + more
    by_rule = Counter(alert.rule for alert in alerts).most_common(_RULES)
    counted = ", ".join(f"{rule} {count}" for rule, count in by_rule)
    within = f"of the last {len(alerts)}: " if more else ""
    head = f"{total} alerts from {first} to {last} HKT ({within}{counted})"
    lines = [f"{clock_time(alert.at)}  {alert.message}" for alert in alerts[-_LINES:]]
    if total > len(lines):
        lines.insert(0, f"the last {len(lines)} of them:")
    return "\n".join([f"{head}, {_REASONS[reason]}", *lines])
