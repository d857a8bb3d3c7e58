"""The outbox as a channel: what the sinks' workers read, one sink one group."""

from brokertape.tape.keys import Keys
from brokertape.workers.alerts.event import AlertEvent, DigestEvent, Told, decode_told
from brokertape.workers.alerts.ledger import AlertKeys
from brokertape.workers.channel import Channel, Stream

_BETWEEN = "."


def sink_group(alert_group: str, sink: str) -> str:
    """The consumer group of a sink: `<alerting group>.<sink>`."""
    return f"{alert_group}{_BETWEEN}{sink}"


def _outbox(keys: Keys, group: str) -> list[Stream]:
    alert_group, between, _ = group.rpartition(_BETWEEN)
    if not between:
        return []
    alert_keys = AlertKeys(keys, alert_group)
    return [Stream(alert_keys.outbox, alert_keys.dead(group))]


OUTBOX: Channel[Told] = Channel("alerts", (AlertEvent, DigestEvent), _outbox, decode_told)
