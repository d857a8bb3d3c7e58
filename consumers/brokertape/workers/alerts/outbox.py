"""The outbox as a channel: what the sinks' workers read, one sink one group."""

from brokertape.workers.alert_keys import outbox_streams
from brokertape.workers.alerts.event import AlertEvent, DigestEvent, Told, decode_told
from brokertape.workers.channel import Channel

OUTBOX: Channel[Told] = Channel("alerts", (AlertEvent, DigestEvent), outbox_streams, decode_told)
