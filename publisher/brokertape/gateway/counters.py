"""What a client counts while it runs, for metrics."""

from dataclasses import dataclass


@dataclass(slots=True)
class GatewayCounters:
    """Totals since the client was made; they only grow.

    `sessions` were opened and `losses` ended otherwise than by us; `requests` were sent, keep-alives included.
    `unknown_messages` are skipped for their protocol id, `late_replies` for a serial number nobody waits for.
    """

    sessions: int = 0
    losses: int = 0
    requests: int = 0
    timeouts: int = 0
    unknown_messages: int = 0
    late_replies: int = 0
