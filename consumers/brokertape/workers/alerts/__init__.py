"""Rules over the tape, and the alerts they give rise to. Needs the extra `alerts`."""

from brokertape.workers.alerts.alert import Alert
from brokertape.workers.alerts.engine import Engine
from brokertape.workers.alerts.errors import AlertError, ExpressionError, RuleFileError
from brokertape.workers.alerts.rule_file import load_rules, parse_rules
from brokertape.workers.alerts.rules import Rule, RuleSet

__all__ = [
    "Alert",
    "AlertError",
    "Engine",
    "ExpressionError",
    "Rule",
    "RuleFileError",
    "RuleSet",
    "load_rules",
    "parse_rules",
]
