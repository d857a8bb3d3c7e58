"""What came of a rule's evaluations: what `--explain` shows, and what metrics count."""

from collections import Counter
from dataclasses import dataclass, field

MOST_REASONS = 20  # told apart; further ones are counted together


@dataclass(slots=True)
class Tally:
    """One rule's."""

    judged: int = 0
    """How often its condition was asked."""
    held: int = 0
    """How often it held."""
    fired: int = 0
    cooling: int = 0
    """How often it would have fired, but for its cooldown."""
    no_answers: Counter[str] = field(default_factory=Counter)
    """How often its condition had no answer, by the reason: then it does not match."""

    def add_no_answer(self, reason: str, count: int = 1) -> None:
        """A condition had no answer, so often."""
        is_known = reason in self.no_answers or len(self.no_answers) < MOST_REASONS
        self.no_answers[reason if is_known else "other reasons"] += count

    def add(self, other: "Tally") -> None:
        """What came of further evaluations."""
        self.judged += other.judged
        self.held += other.held
        self.fired += other.fired
        self.cooling += other.cooling
        for reason, count in other.no_answers.items():
            self.add_no_answer(reason, count)
