"""The sample rules: a file to begin with, which the demo runs and the tests hold to."""

from importlib import resources

from brokertape.workers.alerts.rule_file import parse_rules
from brokertape.workers.alerts.rules import RuleSet

NAME = "samples.toml"


def sample_text() -> str:
    """The file, with its comments."""
    return resources.files("brokertape.workers.alerts").joinpath(NAME).read_text(encoding="utf-8")


def sample_rules() -> RuleSet:
    """Its rules."""
    return parse_rules(sample_text(), NAME)
