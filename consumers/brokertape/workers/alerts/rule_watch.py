"""The file of rules while it may change: read again when it does, and kept as it was if it cannot be used."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from brokertape.tape.backoff import is_set_within
from brokertape.workers.alerts.errors import RuleFileError
from brokertape.workers.alerts.rule_file import load_rules
from brokertape.workers.alerts.rules import RuleSet
from brokertape.workers.alerts.sinks.table import SinkTable

log = logging.getLogger("brokertape.workers.alerts")

LOOK_EVERY_S = 1.0

_Stamp = tuple[int, int, int] | None


class RuleWatch:
    """Looks at the file every second: its time, size and inode."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: _Stamp = None
        self._sinks: Sequence[SinkTable] | None = None

    def load(self) -> RuleSet:
        """The rules as they are now. Raises RuleFileError."""
        self._stamp = self._look()  # before it is read: what changes meanwhile is read again
        rules = load_rules(self._path)
        if self._sinks is not None and rules.sinks != self._sinks:
            log.warning("the sinks stay as they were until the next start")
        self._sinks = rules.sinks
        return rules

    async def follow(self, use: Callable[[RuleSet], Awaitable[None]], stop: asyncio.Event) -> None:
        """Give every further version that can be used to `use`, until `stop`."""
        while not await is_set_within(stop, LOOK_EVERY_S):
            if self._look() in (None, self._stamp):  # an editor may have taken it away to put another in its place
                continue
            try:
                rules = await asyncio.to_thread(self.load)
            except RuleFileError as error:
                log.error("the rules stay as they were: %s", error)
                continue
            await use(rules)
            log.info("%d rules from %s", len(rules.rules), self._path)

    def _look(self) -> _Stamp:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
