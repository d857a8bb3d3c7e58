"""A trouble is logged when it begins, and when it is over: not every second while it lasts."""

import logging


class Complaints:
    """What has been complained of and stands."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._standing: dict[str, str] = {}

    def complain(self, what: str, error: Exception) -> None:
        """`what` fails with `error`."""
        if self._standing.get(what) != type(error).__name__:
            self._logger.warning("%s: %s", what, error)
        self._standing[what] = type(error).__name__

    def content(self, what: str) -> None:
        """`what` works."""
        if self._standing.pop(what, None) is not None:
            self._logger.info("%s: well again", what)

    def forget(self, what: str) -> None:
        """Nothing is to be said of `what` any more; what comes next is news."""
        self._standing.pop(what, None)

    def warn(self, what: str, is_so: bool, text: str) -> None:
        """A state of things, as `text` says, if it is so."""
        if is_so and what not in self._standing:
            self._logger.warning(text)
        if is_so:
            self._standing[what] = text
        else:
            self._standing.pop(what, None)
