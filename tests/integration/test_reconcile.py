"""`brokertape reconcile` on a simulated week in both databases."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from brokertape.tape.rows import Row
from brokertape.workers.storage import HistoryStorage, Storage, open_database
from support.commands import Ended, run_command
from support.simulated_week import CODES, DAYS, simulated_week
from support.storages import deliveries, past_day
from support.tables import row
from support.tape_factory import TapeFactory

FRIDAY, THURSDAY = DAYS[4].isoformat(), DAYS[3].isoformat()


async def fill(url: str, *, is_open: bool = False) -> None:
    """Store the week, without the rollovers of the Monday after it if it `is_open`."""
    events = [event for event in simulated_week().events if not is_open or event.data.trading_date <= FRIDAY]
    async with open_database(url) as database:
        await Storage(database).handle(deliveries(events))
        await HistoryStorage(database).handle(deliveries(simulated_week().past_days))


async def fill_pair(url: str, ours: Sequence[Row], theirs: Sequence[Row]) -> str:
    """Store a closed day of one code as we and as the gateway have it; its date."""
    factory = TapeFactory()
    factory.rows = tuple(ours)
    date, events = factory.trading_date, [factory.baseline(), factory.rollover()]
    async with open_database(url) as database:
        await Storage(database).handle(deliveries(events))
        await HistoryStorage(database).handle(deliveries([past_day(factory.code, date, theirs)]))
    return date


def reconcile(database: str, *arguments: str, cwd: Path) -> Ended:
    """Run it."""
    return run_command("reconcile", *arguments, "--database", database, cwd=cwd)


@pytest.mark.parametrize("is_open", [False, True])
async def test_a_day_that_was_seen_to_its_end_is_equal(database_url: str, tmp_path: Path, is_open: bool) -> None:
    """By default the latest day; after the rollover its closing list, before it the book."""
    await fill(database_url, is_open=is_open)
    ended = reconcile(database_url, "--json", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    report = json.loads(ended.out)
    assert (report["trading_date"], report["not_compared"]) == (FRIDAY, [])
    assert [(one["code"], one["ours"]) for one in report["codes"]] == [
        (code, "book" if is_open else "close") for code in sorted(CODES)
    ]
    assert {broker["verdict"] for one in report["codes"] for broker in one["brokers"]} == {"equal"}
    shown = reconcile(database_url, "--date", THURSDAY, CODES[0], cwd=tmp_path)
    assert (shown.code, shown.out) == (0, f"{THURSDAY}: 1 codes, 20 brokers equal\n")


async def test_differences_are_told_broker_by_broker(database_url: str, tmp_path: Path) -> None:
    """Exit code 1; a broker that one list does not show has bounds there, not a zero."""
    ours = [row("buy", 1, "UBS", 500), row("buy", 2, "HSBC", 300), row("sell", 1, "CLSA", -100)]
    theirs = [row("buy", 1, "UBS", 700), row("sell", 1, "CLSA", -100), row("sell", 2, "Citi", -50)]
    date = await fill_pair(database_url, ours, theirs)
    ended = reconcile(database_url, "--json", cwd=tmp_path)
    [found] = json.loads(ended.out)["codes"]
    brokers = {one.pop("broker_name"): one for one in found["brokers"]}
    assert ended.code == 1
    assert {name: one["verdict"] for name, one in brokers.items()} == {
        "UBS": "different",
        "HSBC": "only_ours",
        "CLSA": "equal",
        "Citi": "only_theirs",
    }
    assert (brokers["UBS"]["ours"], brokers["UBS"]["theirs"], brokers["UBS"]["difference"]) == (500, 700, 200)
    assert (brokers["Citi"]["unseen_low"], brokers["Citi"]["unseen_high"], brokers["Citi"]["fits"]) == (0, 0, False)
    shown = reconcile(database_url, "--date", date, cwd=tmp_path)
    assert shown.code == 1
    assert "+500" in shown.out
    assert f"{date}: 1 codes, 1 brokers equal, 1 different, 1 only in ours, 1 only in the gateway's" in shown.out


async def test_the_list_that_was_closed_goes_before_the_latest(database_url: str, tmp_path: Path) -> None:
    """A date that came again in a later epoch leaves the close as it is."""
    factory, ours = TapeFactory(), [row("buy", 1, "UBS", 500)]
    date = await fill_pair(database_url, ours, ours)
    factory.trading_date = date
    async with open_database(database_url) as database:
        await Storage(database).handle(deliveries([factory.new_epoch()]))
    assert reconcile(database_url, cwd=tmp_path).out == f"{date}: 1 codes, 1 brokers equal\n"


async def test_a_code_with_one_list_is_named_and_not_compared(database_url: str, tmp_path: Path) -> None:
    """The others are."""
    await fill(database_url)
    async with open_database(database_url) as database:
        await HistoryStorage(database).handle(deliveries([past_day("HK.00005", FRIDAY, [])]))
    ended = reconcile(database_url, CODES[0], "HK.00005", "HK.00011", cwd=tmp_path)
    assert ended.code == 0
    assert "HK.00005: not compared, our list of that day is not stored\n" in ended.out
    assert "HK.00011: not compared, nothing of that day is stored\n" in ended.out


async def test_nothing_to_compare_is_one_clear_line(database_url: str, tmp_path: Path) -> None:
    """What is missing, and what to do; a code or date that is none."""
    async with open_database(database_url) as database:
        await Storage(database).handle(deliveries(TapeFactory().day(2)))
    for arguments, line in (
        ((), "has no day of which both lists are stored: `brokertape history` asks for the gateway's"),
        (("--date", "2026-05-08"), "has nothing of 2026-05-08 of which both lists are stored"),
        (("--date", "8.5.2026"), "--date 8.5.2026: write it as 2026-05-08"),
        (("00700",), "write HK. and five digits"),
    ):
        assert line in reconcile(database_url, *arguments, cwd=tmp_path).complaint
