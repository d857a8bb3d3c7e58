"""The simulator's settings."""

from datetime import date
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from brokertape.gateway.errors import InvalidSettings
from brokertape.simulator.market_model import Restatement
from brokertape.simulator.rules import Limits
from brokertape.simulator.settings import SimulatorSettings


def test_the_defaults_are_a_gateway_like_the_real_one() -> None:
    """Its address, its limit, its KeepAlive, nothing wrong with it."""
    settings = SimulatorSettings()
    assert (settings.host, settings.port) == ("127.0.0.1", 11111)
    assert (settings.limit, settings.window_s) == (30, 30.0)
    assert (settings.max_connections, settings.keep_alive_timeout_s) == (128, 30.0)
    assert settings.misbehaviour(0.0).delay_s() == 0.0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"host": "local host"}, "host"),
        ({"port": 65536}, "port"),
        ({"port": -1}, "port"),
        ({"codes": ()}, "codes"),
        ({"codes": ("00700",)}, "00700"),
        ({"codes": ("HK.00700", "HK.00700")}, "twice"),
        ({"trades_per_s": nan}, "trades_per_s"),
        ({"speed": -1}, "speed"),
        ({"start": "noon"}, "start"),
        ({"limit": 0}, "limit"),
        ({"window_s": 0}, "window_s"),
        ({"past_days": 251}, "past_days"),
        ({"snapshot_codes": 401}, "snapshot_codes"),
        ({"snapshot_codes": -1}, "snapshot_codes"),
        ({"list_lag_s": (2.0, 1.0)}, "list_lag_s 2,1"),
        ({"list_lag_s": (-1.0, 1.0)}, "list_lag_s"),
        ({"list_lag_s": (0.0, 3601.0)}, "list_lag_s"),
        ({"list_lag_s": (0.0, nan)}, "list_lag_s"),
        ({"delisted_codes": ("HK.12345",)}, "delisted_codes"),
        ({"stall_probability": 1.5}, "stall_probability"),
        ({"latency_ms": inf}, "latency_ms"),
        ({"refuse_logins_s": -1}, "refuse_logins_s"),
        ({"empty_codes": ("HK.12345",)}, "empty_codes"),
        ({"restatements": (("HK.12345", 60.0),)}, "restatements"),
        ({"rsa_key_file": Path("nowhere.pem")}, "nowhere.pem"),
    ],
)
def test_a_wrong_setting_is_refused_with_one_line_that_names_it(changes: dict[str, Any], named: str) -> None:
    """Before anything is started."""
    with pytest.raises(InvalidSettings, match=named) as refused:
        SimulatorSettings(**changes)
    assert "\n" not in str(refused.value)


def test_settings_shape_the_market() -> None:
    """Codes in their order, the calendar, restatements counted from the start, the lists' lag."""
    settings = SimulatorSettings(
        codes=("HK.00005", "HK.04321"),
        half_days=(date(2026, 12, 24),),
        suspended_codes=("HK.04321",),
        delisted_codes=("HK.00005",),
        restatements=(("HK.00005", 60.0),),
        list_lag_s=(0.2, 1.0),
    )
    market = settings.market(1000.0)
    assert [instrument.code for instrument in market.instruments] == ["HK.00005", "HK.04321"]
    assert market.calendar.half_days == {date(2026, 12, 24)}
    assert market.restatements == (Restatement("HK.00005", 1060.0),)
    assert market.suspensions[0].code == "HK.04321"
    assert [instrument.is_delisted for instrument in market.instruments] == [True, False]
    assert market.list_lag_s == (0.2, 1.0)


def test_settings_shape_the_limits() -> None:
    """Each of them is what it was set to."""
    settings = SimulatorSettings(
        limit=1, window_s=2.0, snapshot_limit=3, snapshot_codes=20, counts_refused=True, past_days=5
    )
    assert settings.limits == Limits(1, 2.0, 3, 20, True, 5)


def test_settings_shape_the_misbehaviour() -> None:
    """Logins refused for ever, a code failing, another one empty."""
    settings = SimulatorSettings(
        refuse_logins_s=inf, failing_codes=(("HK.00700", "行情权限不足"),), empty_codes=("HK.00005",), qot_logined=False
    )
    misbehaviour = settings.misbehaviour(5.0)
    assert misbehaviour.refuses_login(1e9)
    assert misbehaviour.failure_of("HK.00700", 5.0) == "行情权限不足"
    assert misbehaviour.empty_codes == {"HK.00005"}
    assert not misbehaviour.is_logged_in
