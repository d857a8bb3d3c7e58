"""The gateway's frequency limit, as it counts: on receipt, over all connections."""

from collections import deque


class RequestWindow:
    """A sliding window: the first and the (limit + 1)-th counted request have to be more than `window_s` apart.

    Whatever is admitted counts, also when it then fails. Whether a refused one counts is not known of the real
    gateway; `counts_refused` chooses, and with it a caller that keeps hammering is never admitted again.
    """

    def __init__(self, limit: int, window_s: float, *, counts_refused: bool = False) -> None:
        self.limit = limit
        self.window_s = window_s
        self.refused = 0
        self._counts_refused = counts_refused
        self._stamps: deque[float] = deque(maxlen=limit)

    def admit(self, received_s: float) -> bool:
        """Count a request; whether it is within the limit."""
        is_admitted = len(self._stamps) < self.limit or received_s - self._stamps[0] > self.window_s
        if is_admitted or self._counts_refused:
            self._stamps.append(received_s)
        self.refused += not is_admitted
        return is_admitted
