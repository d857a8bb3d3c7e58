"""The request window and the pace within it: pure, time as an argument, in seconds on any steady clock.

The rule, from the vendor's "30 requests in any 30 s": request n may leave once the window has passed since the
*reply* to request n - 30. The gateway counted that one no later than its reply and counts this one no earlier than
it leaves, so the rule holds for any jitter, stall or clock offset, and costs one round trip a window.
"""

import math
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """The gateway's limit: `requests` in any `window_s`. `margin_s` is for "more than 30 s" and for rounding."""

    requests: int = 30
    window_s: float = 30.0
    margin_s: float = 0.01

    def __post_init__(self) -> None:
        if self.requests < 1 or self.window_s <= 0 or self.margin_s < 0:
            raise ValueError(f"limit of {self.requests} requests in {self.window_s} s: both must be above 0")

    def span_s(self, guard_s: float = 0.0) -> float:
        """How long a stamp counts."""
        return self.window_s + self.margin_s + guard_s


class RequestWindow:
    """The stamps of the last requests: one reserved counts from `timeout_s` ahead until its reply settles it.

    Holds at most `limit.requests` stamps that count, so it is bounded by the limit.
    """

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._stamps: dict[str, float] = {}

    def wait_s(self, now: float, guard_s: float = 0.0, headroom: int = 0) -> float:
        """How long until a slot is free, and `headroom` others; 0 if they are."""
        span_s = self._limit.span_s(guard_s)
        live = sorted(stamp for stamp in self._stamps.values() if stamp > now - span_s)
        excess = len(live) - self._limit.requests + headroom
        return 0.0 if excess < 0 else live[excess] + span_s - now

    def reserve(self, request_id: str, now: float, timeout_s: float) -> None:
        """Take a slot for a request that is answered by `now + timeout_s` or never."""
        oldest = now - self._limit.span_s(guard_s=60.0)
        self._stamps = {known: stamp for known, stamp in self._stamps.items() if stamp > oldest}
        self._stamps[request_id] = now + timeout_s

    def settle(self, request_id: str, now: float) -> None:
        """The reply came: the request counts from now on."""
        self._stamps[request_id] = now


class Pace:
    """Spreads requests within the window: at most `sends` in any `span_s`, and while there is work without a break no
    two of them close together.

    3 in 2.85 s is a little faster than 30 in 30 s, so it never costs budget, and catches up after a stall. Without the
    second rule a quick gateway gets three at once and then none for 2.85 s, window after window, and whatever has just
    become urgent waits for that: 1.4 s instead of 0.6 on average. Quite even sends use 0.3 % less of the budget.
    """

    CLOSEST = 0.7  # of the time between even sends
    BREAK = 2.0  # spans

    def __init__(self, sends: int = 3, span_s: float = 2.85) -> None:
        self.share = 1.0
        """Of the account's requests, those that are ours: who shares it keeps a pace that is so much slower."""
        self._sends = sends
        self._span_s = span_s
        self._sent: deque[float] = deque(maxlen=sends)
        self._at_once = sends
        """How many may still follow each other at once, after a break."""

    def wait_s(self, now: float) -> float:
        """How long until the next send keeps the pace; 0 if now does."""
        span_s, earliest = self._span_s / self.share, now
        if self._sent and self._at_once <= 0:
            earliest = self._sent[-1] + self.CLOSEST * span_s / self._sends
        if len(self._sent) == self._sends:
            earliest = max(earliest, self._sent[0] + span_s)
        return max(0.0, earliest - now)

    def sent(self, now: float) -> None:
        """A request leaves now."""
        is_first = not self._sent or now - self._sent[-1] >= self.BREAK * self._span_s / self.share
        self._at_once = (self._sends if is_first else self._at_once) - 1
        self._sent.append(now)


class Backoff:
    """What a refusal in spite of the window teaches: somebody else uses the account, or its clock is coarser.

    Each refusal holds all requests, 3 s doubling to 30, and widens the guard by 0.25 s up to 2. A window without
    one resets the hold; the guard stays.
    """

    FIRST_HOLD_S = 3.0
    LONGEST_HOLD_S = 30.0
    GUARD_STEP_S = 0.25
    WIDEST_GUARD_S = 2.0

    def __init__(self) -> None:
        self.guard_s = 0.0
        self.refusals = 0
        self._hold_s = self.FIRST_HOLD_S
        self._held_until = -math.inf

    def wait_s(self, now: float) -> float:
        """How long the hold still lasts."""
        return max(0.0, self._held_until - now)

    def refused(self, now: float) -> float:
        """The gateway said "too often" at `now`; returns for how long nothing is sent."""
        if now > self._held_until + 30.0:
            self._hold_s = self.FIRST_HOLD_S
        hold_s = self._hold_s
        self.refusals += 1
        self.guard_s = min(self.guard_s + self.GUARD_STEP_S, self.WIDEST_GUARD_S)
        self._held_until = now + hold_s
        self._hold_s = min(2 * hold_s, self.LONGEST_HOLD_S)
        return hold_s
