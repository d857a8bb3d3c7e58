"""`brokertape reconcile`: our final lists of a day against the gateway's own."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date as calendar_date
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from brokertape.cli.faults import OK, UNHEALTHY, NothingStored, SettingsError
from brokertape.cli.settings import Settings
from brokertape.tape.keys import check_code
from brokertape.tape.wording import plain, shares
from brokertape.workers.storage.database import open_readonly
from brokertape.workers.storage.final_lists import FinalLists, Origin, final_lists, latest_date
from brokertape.workers.storage.port import Database
from brokertape.workers.storage.reconciliation import Bounds, Comparison, Verdict, compare

_WORDS = {
    Verdict.DIFFERENT: "different",
    Verdict.ONLY_OURS: "only in ours",
    Verdict.ONLY_THEIRS: "only in the gateway's",
}
_FITS = {True: ", it fits", False: ", it does not fit", None: ""}


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One code of which both lists are there."""

    code: str
    origin: Origin
    brokers: tuple[Comparison, ...]

    @property
    def differing(self) -> list[Comparison]:
        """The brokers that are not equal."""
        return [broker for broker in self.brokers if broker.verdict is not Verdict.EQUAL]


async def reconcile(settings: Settings, *, date: str | None, codes: Sequence[str], as_json: bool) -> int:
    """Print how the lists of a day differ.

    Returns:
        0 if they are equal, 1 if not.

    Raises:
        SettingsError, InvalidCode: The date or a code is none.
        NothingStored: No code has both lists.
        DatabaseBroken, DatabaseUnavailable: The database cannot be used.
    """
    named = sorted({check_code(code) for code in codes})
    if date is not None:
        _check_date(date)
    async with open_readonly(settings.store.database) as database:
        day = date or await latest_date(database, named)
        lists = [] if day is None else await final_lists(database, day, named)
        found = [
            Reconciled(one.code, one.origin, compare(one.ours, one.theirs))
            for one in lists
            if one.ours is not None and one.origin is not None and one.theirs is not None
        ]
        if day is None or not found:
            raise _nothing(database, day, lists)
    rest = [one for one in lists if one.ours is None or one.theirs is None]
    (_print_json if as_json else _print)(day, found, rest)
    return UNHEALTHY if any(one.differing for one in found) else OK


def _check_date(text: str) -> None:
    try:
        is_date = calendar_date.fromisoformat(text).isoformat() == text
    except ValueError:
        is_date = False
    if not is_date:
        raise SettingsError(f"--date {text}: write it as 2026-05-08")


def _nothing(database: Database, day: str | None, lists: Iterable[FinalLists]) -> NothingStored:
    of_day = "no day" if day is None else f"nothing of {day}"
    is_theirs_missing = not any(one.theirs is not None for one in lists)
    advice = "`brokertape history` asks for the gateway's" if is_theirs_missing else "ours was not recorded"
    return NothingStored(f"{database.name} has {of_day} of which both lists are stored: {advice}")


def _print(day: str, found: Sequence[Reconciled], rest: Sequence[FinalLists]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    if any(one.differing for one in found):
        console.print(_table(found))
    verdicts = Counter(broker.verdict for one in found for broker in one.brokers)
    differing = ", ".join(f"{verdicts[verdict]} {word}" for verdict, word in _WORDS.items() if verdicts[verdict])
    console.print(
        f"{day}: {len(found)} codes, {verdicts[Verdict.EQUAL]} brokers equal" + (differing and f", {differing}")
    )
    for one in rest:
        console.print(f"{one.code}: not compared, {_missing(one)}")
    live = [one.code for one in found if one.origin == "book"]
    if live:
        console.print(f"not rolled over yet, so the latest list was taken: {', '.join(live)}")


def _missing(one: FinalLists) -> str:
    if one.ours is None:
        return "nothing of that day is stored" if one.theirs is None else "our list of that day is not stored"
    return "the gateway's list is not stored: `brokertape history` asks for it"


def _table(found: Sequence[Reconciled]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("Code", "Broker", "What"):
        table.add_column(title)
    for title in ("Ours", "Gateway's", "Difference"):
        table.add_column(title, justify="right", no_wrap=True)
    for one in found:
        for broker in one.differing:
            table.add_row(one.code, Text(plain(broker.broker_name)), _what(broker), *_numbers(broker))
    return table


def _what(broker: Comparison) -> str:
    return _WORDS[broker.verdict] + _FITS[broker.fits]


def _numbers(broker: Comparison) -> tuple[str, str, str]:
    """Ours, theirs, the difference; for a list that does not show the broker, the bounds within which it lies."""
    unseen = "" if broker.bounds is None else _between(broker.bounds)
    ours = unseen if broker.verdict is Verdict.ONLY_THEIRS else shares(broker.ours)
    theirs = unseen if broker.verdict is Verdict.ONLY_OURS else shares(broker.theirs)
    return ours, theirs, shares(broker.difference)


def _between(bounds: Bounds) -> str:
    return f"{shares(bounds.low)} … {shares(bounds.high)}"


def _print_json(day: str, found: Sequence[Reconciled], rest: Sequence[FinalLists]) -> None:
    report = {
        "trading_date": day,
        "codes": [
            {"code": one.code, "ours": one.origin, "brokers": [_as_data(broker) for broker in one.brokers]}
            for one in found
        ],
        "not_compared": [
            {"code": one.code, "has_ours": one.ours is not None, "has_theirs": one.theirs is not None} for one in rest
        ],
    }
    print(json.dumps(report, ensure_ascii=False))  # noqa: T201


def _as_data(broker: Comparison) -> dict[str, Any]:
    """A broker for programs; `unseen_low` and `unseen_high` are those of the list that it is missing in."""
    bounds = broker.bounds
    return {
        "broker_name": broker.broker_name,
        **({"ordinal": broker.ordinal} if broker.ordinal else {}),
        "verdict": broker.verdict.value,
        "ours": broker.ours,
        "theirs": broker.theirs,
        "difference": broker.difference,
        "unseen_low": None if bounds is None else bounds.low,
        "unseen_high": None if bounds is None else bounds.high,
        "fits": broker.fits,
    }
