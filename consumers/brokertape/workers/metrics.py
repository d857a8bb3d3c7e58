"""A worker's counts and state as Prometheus metrics, collected when somebody asks. Needs the extra `metrics`."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from brokertape.workers.counts import WorkerState
from brokertape.workers.figures import Figure
from brokertape.workers.health import Observed

PREFIX = "brokertape_worker_"
LABELS = ("group", "channel")
CONTENT_TYPE = CONTENT_TYPE_LATEST

COUNTERS = {
    "handled": "Entries whose effect is durable and that were acknowledged.",
    "failed": "Times a single entry could not be handled.",
    "dead": "Entries moved to the dead-letter stream.",
    "unknown": "Entries of an event type this version does not know.",
    "claimed": "Entries taken over from members that died.",
    "trimmed": "Entries cut off the stream before they were handled.",
    "groups_lost": "Groups that were gone and had to be rebuilt.",
    "rollbacks": "Partitions found behind the saved position.",
    "sink_waits": "Times a batch had to wait for the sink.",
    "reconnects": "Times reading had to begin again.",
    "leases_lost": "Partitions that were no longer owned for certain.",
}
GAUGES: dict[str, tuple[str, Callable[[WorkerState], int]]] = {
    "lag": ("Entries that nobody of the group was given.", lambda state: sum(state.lags.values())),
    "pending": ("Entries that members of the group hold.", lambda state: sum(state.pending.values())),
    "in_hand": ("Entries that this worker read and has not settled.", lambda state: state.in_hand),
    "calls": ("Calls of the handler that run.", lambda state: len(state.calls)),
    "owned_partitions": ("Partitions owned, in ordered mode.", lambda state: len(state.owned or ())),
    "troubles": ("What keeps it from working; 0 if nothing does.", lambda state: len(state.troubles)),
}


class WorkerCollector(Collector):
    """The metrics `brokertape_worker_…` of some workers of one process, told apart by group and channel."""

    def __init__(self, observed: Sequence[Observed]) -> None:
        self._observed = observed

    def collect(self) -> Iterable[Metric]:
        """As prometheus_client asks."""
        yield from self._counters()
        yield from self._gauges()

    def _counters(self) -> Iterator[Metric]:
        for name, text in COUNTERS.items():
            family = CounterMetricFamily(PREFIX + name, text, labels=LABELS)
            for one in self._observed:
                family.add_metric(one.labels, getattr(one.counts, name))
            yield family

    def _gauges(self) -> Iterator[Metric]:
        for name, (text, value) in GAUGES.items():
            family = GaugeMetricFamily(PREFIX + name, text, labels=LABELS)
            for one in self._observed:
                family.add_metric(one.labels, value(one.state))
            yield family


class FigureCollector(Collector):
    """Figures as they are at this moment."""

    def __init__(self, figures: Iterable[Figure]) -> None:
        self._figures = tuple(figures)

    def collect(self) -> Iterable[Metric]:
        """As prometheus_client asks."""
        families: dict[str, CounterMetricFamily] = {}
        for one in self._figures:
            family = families.get(one.name)
            if family is None:
                family = families[one.name] = CounterMetricFamily(one.name, one.text, labels=list(one.labels))
            family.add_metric(list(one.labels.values()), one.value)
        return families.values()


def render(observed: Sequence[Observed], figures: Iterable[Figure] = ()) -> bytes:
    """The metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(WorkerCollector(observed))
    registry.register(FigureCollector(figures))
    return generate_latest(registry)
