"""The settings themselves: what they refuse, hide, and share with the parts that they are for."""

import dataclasses

import pytest
from pydantic import ValidationError

from brokertape.cli.gateway_link import gateway_settings
from brokertape.cli.publish import limit_of
from brokertape.cli.settings import (
    BudgetGroup,
    GatewayGroup,
    HistoryGroup,
    PublishGroup,
    RedisGroup,
    RetentionGroup,
    Settings,
    SimulateGroup,
    StoreGroup,
    groups,
    host_and_port,
)
from brokertape.cli.simulate import simulator_settings
from brokertape.cli.store import store_settings
from brokertape.gateway.settings import GatewaySettings
from brokertape.publisher.retention import Retention
from brokertape.publisher.window import Limit, Pace
from brokertape.simulator.settings import SimulatorSettings
from brokertape.workers.settings import WorkerSettings


def test_the_gateways_defaults_are_the_clients() -> None:
    """Nothing set, the client gets what it would take by itself; but for its id, which is made anew each time."""
    ours = gateway_settings(GatewayGroup())
    assert dataclasses.replace(ours, client_id="x") == GatewaySettings(client_id="x")


def test_the_simulators_defaults_are_its_own() -> None:
    """Nothing set, `simulate` is the simulator as it comes; and every setting of it can be set."""
    assert simulator_settings(SimulateGroup()) == SimulatorSettings()
    assert set(SimulateGroup.model_fields) == {field.name for field in dataclasses.fields(SimulatorSettings)}


def test_the_storage_workers_defaults_are_its_own() -> None:
    """Nothing set, `store` runs as the worker would by itself; and every setting can be set but that of the order."""
    assert store_settings(Settings()).worker == WorkerSettings(group="storage")
    names = {field.name for field in dataclasses.fields(WorkerSettings)}
    assert set(StoreGroup.model_fields) - {"database", "endpoint"} == names - {"ordered", "undivided", "lease_s"}


def test_the_budgets_defaults_are_the_publishers() -> None:
    """Limit, pace and retention agree with the parts that they are for."""
    budget = BudgetGroup()
    assert limit_of(budget) == Limit()
    assert vars(Pace(budget.pace_requests, budget.pace_window_s)) == vars(Pace())
    assert Retention(**RetentionGroup().model_dump()) == Retention()


@pytest.mark.parametrize(
    ("address", "parts"),
    [("127.0.0.1:11111", ("127.0.0.1", 11111)), ("opend.example:1", ("opend.example", 1)), ("[::1]:80", ("::1", 80))],
)
def test_an_address_has_two_halves(address: str, parts: tuple[str, int]) -> None:
    """Names, IPv4 and, in brackets, IPv6."""
    assert host_and_port(address) == parts


@pytest.mark.parametrize("address", ["", "opend", "opend:", ":11111", "opend:http", "::1:80", "opend:-1", "opend:１"])
def test_what_is_no_address_is_refused(address: str) -> None:
    """Before anybody connects."""
    with pytest.raises(ValidationError, match="write HOST:PORT"):
        GatewayGroup(address=address)


@pytest.mark.parametrize(
    ("group", "values"),
    [
        (RedisGroup, {"prefix": "{x}"}),
        (RedisGroup, {"partitions": 3}),
        (RedisGroup, {"timeout_s": 0}),
        (BudgetGroup, {"limit": 0}),
        (BudgetGroup, {"window_s": float("inf")}),
        (PublishGroup, {"codes": "US.AAPL"}),
        (PublishGroup, {"name": "a b"}),
        (PublishGroup, {"account": "a|b"}),
        (HistoryGroup, {"days": 0}),
        (HistoryGroup, {"days": 251}),
        (HistoryGroup, {"final_at": "18:00+08:00"}),
        (RetentionGroup, {"days": 20}),
        (StoreGroup, {"group": ""}),
        (StoreGroup, {"start": "latest"}),
        (SimulateGroup, {"list_lag_s": "1,2,3"}),
        (SimulateGroup, {"list_lag_s": "soon"}),
        (SimulateGroup, {"list_lag_s": ""}),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(group: type, values: dict[str, object]) -> None:
    """At the start, not when it is first used."""
    with pytest.raises(ValidationError):
        group(**values)


def test_a_password_is_in_no_representation() -> None:
    """Neither of the settings nor of what they become."""
    settings = Settings.model_validate(
        {"redis": {"url": "redis://u:hidden@h"}, "store": {"database": "x://u:hidden@h/d"}}
    )
    assert "hidden" not in f"{settings} {settings!r} {settings.model_dump()['redis']} {store_settings(settings)!r}"
    assert settings.redis.url.get_secret_value() == "redis://u:hidden@h"


def test_lists_are_written_with_commas_or_as_lists() -> None:
    """A variable can hold no list; a file can."""
    expected = ("HK.00700", "HK.00005")
    assert PublishGroup.model_validate({"codes": "HK.00700, HK.00005,"}).codes == expected
    assert PublishGroup.model_validate({"codes": ["HK.00700", "HK.00005"]}).codes == expected
    assert SimulateGroup.model_validate({"failing_codes": ["HK.00005=too = much"]}).failing_codes == (
        ("HK.00005", "too = much"),
    )


@pytest.mark.parametrize("given", ["0.2,1", "0.2, 1", [0.2, 1]])
def test_a_range_is_two_numbers(given: object) -> None:
    """Of a variable or of a file."""
    assert SimulateGroup.model_validate({"list_lag_s": given}).list_lag_s == (0.2, 1.0)


@pytest.mark.parametrize("given", ["2", 2, 2.0, [2]])
def test_one_number_is_a_range_of_one(given: object) -> None:
    """Both its ends."""
    assert SimulateGroup.model_validate({"list_lag_s": given}).list_lag_s == (2.0, 2.0)


def test_every_setting_is_described() -> None:
    """The page and the help are made of the descriptions."""
    for group in groups().values():
        assert group.__doc__
        assert all(field.description for field in group.model_fields.values()), group
