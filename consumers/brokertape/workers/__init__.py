"""The consumer-group runtime, and the workers built on it."""

from brokertape.workers.counts import WorkerCounts
from brokertape.workers.delivery import Delivery, Entry, Handler
from brokertape.workers.errors import GroupLost, SinkBroken, SinkUnavailable, WorkerError
from brokertape.workers.meta import find_tape
from brokertape.workers.positions import MemoryPositions, Positions
from brokertape.workers.settings import WorkerSettings
from brokertape.workers.worker import Worker

__all__ = [
    "Delivery",
    "Entry",
    "GroupLost",
    "Handler",
    "MemoryPositions",
    "Positions",
    "SinkBroken",
    "SinkUnavailable",
    "Worker",
    "WorkerCounts",
    "WorkerError",
    "WorkerSettings",
    "find_tape",
]
