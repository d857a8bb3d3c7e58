"""The limits of a worker."""

from dataclasses import replace
from typing import Any

import pytest

from brokertape.tape.errors import InvalidKeys
from brokertape.workers.settings import WorkerSettings


@pytest.mark.parametrize("name", ["", "two words", "a{b}", "a|b"])
def test_a_name_must_fit_into_a_key(name: str) -> None:
    """Group and consumer names are refused before anything runs."""
    with pytest.raises(InvalidKeys, match="group"):
        WorkerSettings(group=name)
    with pytest.raises(InvalidKeys, match="consumer"):
        WorkerSettings(group="storage", consumer=name)


@pytest.mark.parametrize("limit", ["read_count", "batch_size", "block_ms", "min_idle_ms", "max_attempts", "max_dead"])
def test_a_limit_is_positive(limit: str) -> None:
    """Zero would mean for ever to Redis, or never to us."""
    values: dict[str, Any] = {limit: 0}
    with pytest.raises(ValueError, match=f"{limit} = 0"):
        replace(WorkerSettings(group="storage"), **values)


def test_the_consumer_has_the_same_name_after_a_restart() -> None:
    """What it left pending is its own again."""
    assert WorkerSettings(group="storage").consumer == WorkerSettings(group="storage").consumer
