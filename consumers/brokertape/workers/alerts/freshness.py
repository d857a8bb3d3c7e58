"""A rule about a code that nobody looks at."""

from brokertape.workers.alerts.rules import Rule
from brokertape.workers.alerts.state import CodeState
from brokertape.workers.alerts.tally import Tally
from brokertape.workers.alerts.trading_hours import open_ms


class FreshnessJudge:
    """Judges by the time that has gone by since the last look, as far as the market was open."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.stale_after_ms = rule.stale_after_ms or 0
        self.tally = Tally()

    def seen(self, code: CodeState) -> None:
        """Somebody looked: it may be told again."""
        standing = code.standings.get(self.rule.name, {}).get("")
        if standing is not None:
            standing.is_on = False

    def is_stale(self, code: CodeState, now: int) -> bool:
        """Whether that is to be told now: once until somebody looks."""
        self.tally.judged += 1
        if open_ms(code.known.looked_at, now) <= self.stale_after_ms:
            return False
        self.tally.held += 1
        standing = code.standing(self.rule.name, "")
        if standing.is_on:
            return False
        standing.is_on = True
        if standing.is_cooling(now, self.rule.cooldown_ms):
            self.tally.cooling += 1
            return False
        standing.fired_at = now
        self.tally.fired += 1
        return True
