"""One thing that was looked at, and how it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rich.text import Text

from brokertape.tape.wording import plain


class Verdict(StrEnum):
    """How a check ended. Only FAILED makes an exit code of 1."""

    OK = "ok"
    NOTE = "note"
    FAILED = "FAILED"
    SKIPPED = "skipped"


STYLES = {Verdict.OK: "green", Verdict.NOTE: "yellow", Verdict.FAILED: "bold red", Verdict.SKIPPED: "dim"}


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, what was found, and what to do about it if anything is to be done."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""

    def line(self) -> Text:
        """The check on a line."""
        text = Text.assemble((f"{self.verdict:<8}", STYLES[self.verdict]), f"{self.name:<22} {plain(self.found)}")
        return text.append(f" → {self.advice}", "bold") if self.advice else text


def any_failed(checks: Sequence[Check]) -> bool:
    """Whether something is wrong."""
    return any(check.verdict is Verdict.FAILED for check in checks)
