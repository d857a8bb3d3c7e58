"""A worker as Prometheus sees it."""

from dataclasses import asdict, fields

from prometheus_client.parser import text_string_to_metric_families

from brokertape.workers.counts import WorkerCounts, WorkerState
from brokertape.workers.metrics import COUNTERS, render
from brokertape.workers.service import worker


@worker(group="mine")
async def nothing(_batch: object) -> None:
    """Does nothing."""


def test_every_count_is_a_counter() -> None:
    """None is forgotten when one is added."""
    assert set(COUNTERS) == {field.name for field in fields(WorkerCounts)}


def test_counts_and_state_are_what_prometheus_reads() -> None:
    """By group and channel."""
    counts = WorkerCounts(*range(1, len(fields(WorkerCounts)) + 1))
    nothing.counts = counts
    nothing.state = WorkerState(lags={0: 3, 1: 4}, pending={0: 2}, in_hand=9, owned=(1, 2), troubles={"x": 0.0})
    families = text_string_to_metric_families(render([nothing]).decode())
    samples = {sample.name: sample for family in families for sample in family.samples}
    assert {sample.labels["group"] for sample in samples.values()} == {"mine"}
    for name, value in asdict(counts).items():
        assert samples[f"brokertape_worker_{name}_total"].value == value
    gauges = {"lag": 7, "pending": 2, "in_hand": 9, "calls": 0, "owned_partitions": 2, "troubles": 1}
    assert {name: samples[f"brokertape_worker_{name}"].value for name in gauges} == gauges
