"""Time as the market feels it: it runs fast when everything trades more than usual, and slow when nothing does."""

SLOWEST, FASTEST = 0.1, 20.0
MEMORY = 0.98  # of what is known, after each further poll: the last 50 polls decide
FIRST_CHANGES = 5.0  # as if so many had been expected, and found


class ActivityClock:
    """A clock in which codes change at steadier rates than by the wall: what one sees too much of, all others have too.

    Busy minutes (the open, the close, news) raise all rates together. A poll of one code tells something of all.
    """

    def __init__(self) -> None:
        self._read_at: float | None = None
        self._is_stopped = False
        self.time = 0.0
        """Active seconds up to the last reading."""
        self._found = self._expected = FIRST_CHANGES
        self.speed = 1.0

    def read(self, now: float) -> float:
        """Active seconds so far."""
        if self._is_stopped:
            return self.time
        if self._read_at is not None and now > self._read_at:
            self.time += self.speed * (now - self._read_at)
        self._read_at = now if self._read_at is None else max(self._read_at, now)
        return self.time

    def stop(self, now: float) -> None:
        """The market rests: what comes until it starts again is no active time."""
        self.read(now)
        self._is_stopped, self._read_at = True, None

    def start(self) -> None:
        """It trades again."""
        self._is_stopped = False

    def learn(self, found: float, expected: float) -> None:
        """A poll found so many changes, where its code's own rate let expect so many."""
        self._found = MEMORY * self._found + found
        self._expected = MEMORY * self._expected + expected / self.speed
        self.speed = min(max(self._found / self._expected, SLOWEST), FASTEST)
