"""Whether a publisher can poll, as the others should know it: who cannot leaves its codes to them. Pure, times in s.

A trouble counts once it has lasted for as long as a lease: a gateway that is gone is treated as a publisher that is.
"""

import math

LEAST_FAILURES = 5
ON_PROBATION_S = 300.0  # after so long a gateway that has answered with nothing but failures is tried again


class Ability:
    """Of one publisher. It begins as unable.

    Args:
        patience_s: How long a trouble lasts before it counts.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._could_at = -math.inf
        self._failing_since: float | None = None
        self._failures = 0

    @property
    def has_begun(self) -> bool:
        """Whether it ever could poll."""
        return self._could_at > -math.inf

    def looked(self, can_poll: bool, now: float) -> None:
        """Whether requests can be sent now."""
        if can_poll:
            self._could_at = now

    def answered(self, is_good: bool, now: float) -> None:
        """The gateway answered a poll: with a list, or with a failure that concerns the code."""
        if is_good:
            self._failing_since, self._failures = None, 0
            return
        self._failures += 1
        if self._failing_since is None:
            self._failing_since = now

    def is_able(self, now: float) -> bool:
        """Whether it should have codes."""
        return now - self._could_at <= self._patience_s and not self._is_failing(now)

    def _is_failing(self, now: float) -> bool:
        """Nothing but failures for a while: one code's are its own, these are the gateway's."""
        if self._failing_since is None or self._failures < LEAST_FAILURES:
            return False
        failing_s = now - self._failing_since
        if failing_s > ON_PROBATION_S:
            self._failing_since, self._failures = None, 0
            return False
        return failing_s > self._patience_s
