"""What can be wrong with a rule.

AlertError                    (a WorkerError)
├── ExpressionError           an expression cannot be meant: what is wrong, and where in it
├── RuleFileError             the file of rules cannot be used: file, line and reason
└── SinkError                 a sink cannot be opened as it is written
"""

from brokertape.workers.errors import WorkerError


class AlertError(WorkerError):
    """The root of the tree."""


class ExpressionError(AlertError):
    """Raised when an expression cannot be compiled, or gives no boolean."""


class RuleFileError(AlertError):
    """Raised when rules cannot be loaded: `<file>:<line>: <what is wrong>`."""


class SinkError(AlertError):
    """Raised when a sink cannot be opened."""
