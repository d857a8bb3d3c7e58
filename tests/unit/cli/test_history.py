"""`brokertape history`, put together from settings."""

import pytest

from brokertape.cli.faults import SettingsError
from brokertape.cli.history import lane_of
from brokertape.cli.settings import BudgetGroup, HistoryGroup, Settings
from support.lanes import PAST


def test_past_days_stand_back_as_it_is_measured() -> None:
    """The defaults are those of the tests and benchmarks in virtual time."""
    assert lane_of(Settings()) == PAST


def test_a_headroom_of_everything_is_refused() -> None:
    """With a line that names both settings."""
    with pytest.raises(SettingsError, match=r"history.headroom 3.*budget.limit, which is 3"):
        lane_of(Settings(budget=BudgetGroup(limit=3), history=HistoryGroup()))
