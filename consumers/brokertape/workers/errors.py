"""What a worker and its handler tell each other when something cannot be done.

WorkerError
├── GroupLost           the consumer group is gone: rebuild it
├── SinkUnavailable     the effect cannot be made durable now: keep the batch and try again
├── SinkBroken          it never will: the worker ends
└── EndpointError       metrics and health cannot be served

Redis' own failures are `StoreUnavailable` and `StoreRefused` of the tape. Any other exception of a handler is
held against the entries it was handling.
"""


class WorkerError(Exception):
    """The root of the tree."""


class GroupLost(WorkerError):
    """Raised when Redis no longer knows the group, or the stream it belonged to."""


class SinkUnavailable(WorkerError):
    """Raised by a handler when what it writes to does not answer; no entry is to blame."""


class SinkBroken(WorkerError):
    """Raised by a handler when what it writes to can never take an entry; trying again is useless."""


class EndpointError(WorkerError):
    """Raised when metrics and health cannot be served where they should."""
