"""The consumer-group runtime, and the workers built on it."""

from brokertape.workers.channel import HISTORY, TAPE, Channel
from brokertape.workers.counts import WorkerCounts, WorkerState
from brokertape.workers.delivery import BooksHandler, Delivery, Entry, Handler
from brokertape.workers.errors import GroupLost, SinkBroken, SinkUnavailable, WorkerError
from brokertape.workers.meta import find_tape
from brokertape.workers.positions import FilePositions, MemoryPositions, Positions
from brokertape.workers.service import Service, history_worker, worker
from brokertape.workers.settings import Start, WorkerSettings
from brokertape.workers.worker import Worker

__all__ = [
    "HISTORY",
    "TAPE",
    "BooksHandler",
    "Channel",
    "Delivery",
    "Entry",
    "FilePositions",
    "GroupLost",
    "Handler",
    "MemoryPositions",
    "Positions",
    "Service",
    "SinkBroken",
    "SinkUnavailable",
    "Start",
    "Worker",
    "WorkerCounts",
    "WorkerError",
    "WorkerSettings",
    "WorkerState",
    "find_tape",
    "history_worker",
    "worker",
]
