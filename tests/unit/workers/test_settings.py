"""The limits of a worker."""

import os
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


@pytest.mark.parametrize(
    "limit",
    ["concurrency", "batch_size", "prefetch", "block_ms", "max_attempts", "max_dead", "lease_s", "handler_timeout_s"],
)
def test_a_limit_is_positive(limit: str) -> None:
    """Zero would mean for ever to Redis, or never to us."""
    values: dict[str, Any] = {limit: 0}
    with pytest.raises(ValueError, match=f"{limit} = 0"):
        replace(WorkerSettings(group="storage"), **values)


def test_a_lease_is_longer_than_the_margin_before_its_end() -> None:
    """With less, nothing would ever be read."""
    with pytest.raises(ValueError, match=r"lease_s = 0\.2: use 0\.5 or more"):
        WorkerSettings(group="storage", lease_s=0.2)


def test_the_pause_is_shorter_than_the_time_after_which_others_take_over() -> None:
    """Else a failed entry would go round the group instead of waiting."""
    with pytest.raises(ValueError, match="retry_most_s = 5 must be less than min_idle_ms = 5000"):
        WorkerSettings(group="storage", retry_most_s=5, min_idle_ms=5000)


def test_no_two_processes_have_one_default_name() -> None:
    """What a worker left pending when it died is claimed, not taken for its namesake's."""
    assert WorkerSettings(group="storage").consumer.endswith(f"-{os.getpid()}")


@pytest.mark.parametrize(
    ("values", "after_id"),
    [
        ({}, "0-0"),
        ({"start": "new"}, "$"),
        ({"start": "baseline"}, "$"),
        ({"since": "1778198400000-5"}, "1778198400000-5"),
        ({"start": "new", "since": "2026-05-08 08:00"}, "1778198399999-18446744073709551615"),
    ],
)
def test_a_start_is_an_entry_id(values: dict[str, Any], after_id: str) -> None:
    """As Redis takes it; a moment wins over a word."""
    assert WorkerSettings(group="storage", **values).after_id == after_id


@pytest.mark.parametrize(("name", "value"), [("start", "then"), ("since", "yesterday")])
def test_an_unknown_start_is_refused(name: str, value: str) -> None:
    """Before anything runs."""
    values: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=value):
        WorkerSettings(group="storage", **values)
