"""When to try to connect again, and whether."""

import random
from collections.abc import Iterator

from brokertape.gateway.errors import GatewayError, InvalidRequest, InvalidSettings


def should_reconnect(error: Exception) -> bool:
    """Whether a new connection may succeed where one ended with `error`.

    A gateway that is down, starting, not logged in or has another RSA key may be put right at any time, so every
    error that comes from its side is tried again, for ever. What is left are errors of our own.
    """
    return isinstance(error, GatewayError) and not isinstance(error, InvalidSettings | InvalidRequest)


def reconnect_delays(first_s: float, max_s: float) -> Iterator[float]:
    """Seconds before each attempt, without end: doubling up to `max_s`, each cut by up to half at random.

    The cut keeps clients that lost the same gateway from coming back in step.
    """
    delay_s = first_s
    while True:
        yield delay_s * random.uniform(0.5, 1)
        delay_s = min(2 * delay_s, max_s)
