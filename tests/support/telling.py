"""Alerts as sinks are given them."""

from brokertape.workers import Delivery, Entry
from brokertape.workers.alerts.alert import Alert
from brokertape.workers.alerts.event import AlertEvent, Told, alert_event

SOURCE = "/brokertape/alerts"
NOON_MS = 1_778_212_800_000  # of 2026-05-08 in Hong Kong


def an_alert(number: int, at: int = NOON_MS, rule: str = "one") -> AlertEvent:
    """The `number`-th."""
    alert = Alert(
        id=f"HK.00700/1/{number}/{rule}",
        rule=rule,
        code="HK.00700",
        broker="UBS",
        event_id=f"HK.00700/1/{number}",
        trading_date="2026-05-08",
        since=at - 1000,
        at=at,
        message=f"HK.00700 · number {number} [{rule}]",
        values={"net_vol": 100},
    )
    return alert_event(alert, SOURCE)


def delivered(*told: Told) -> list[Delivery[Told]]:
    """As a sink's worker delivers them."""
    return [Delivery(Entry(0, f"{number}-0", {}, 1), one) for number, one in enumerate(told, 1)]
