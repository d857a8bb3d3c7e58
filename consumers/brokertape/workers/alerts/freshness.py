"""A rule about a code that nobody looks at, while others are looked at."""

from brokertape.workers.alerts.rules import Rule
from brokertape.workers.alerts.state import Attention, CodeState
from brokertape.workers.alerts.tally import Tally


class FreshnessJudge:
    """Judges by the attention that a code has missed."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.stale_after_ms = rule.stale_after_ms or 0
        self.tally = Tally()

    def seen(self, code: CodeState) -> None:
        """Somebody looked: it may be told again."""
        code.standing(self.rule.name).is_on = False

    def is_stale(self, code: CodeState, attention: Attention) -> bool:
        """Whether that is to be told now: once until somebody looks."""
        self.tally.judged += 1
        if attention.attended_ms - code.known.attended_ms <= self.stale_after_ms:
            return False
        self.tally.held += 1
        standing, now = code.standing(self.rule.name), attention.now or 0
        if standing.is_on:
            return False
        if now < standing.silent_until:
            self.tally.cooling += 1
            return False
        standing.is_on, standing.silent_until = True, now + self.rule.cooldown_ms
        self.tally.fired += 1
        return True
