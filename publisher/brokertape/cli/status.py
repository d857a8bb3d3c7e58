"""`brokertape status`: whether the tape is well."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import asdict
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from brokertape.cli.book_table import age_text
from brokertape.cli.faults import OK, UNHEALTHY
from brokertape.cli.health import Lease, TapeState, troubles
from brokertape.cli.redis_link import find_keys, open_redis
from brokertape.cli.settings import Settings
from brokertape.cli.tape_state import read_tape_state
from brokertape.cli.watch import wanted_by
from brokertape.cli.why_table import why_data, why_view
from brokertape.tape.wording import plain


async def status(settings: Settings, *, should_tell_why: bool, as_json: bool) -> int:
    """Print the state of the tape, or why its publishers ask for what they do; 1 if it is unhealthy."""
    async with open_redis(settings.redis) as client:
        keys = await find_keys(client, settings.redis)
        tape = await read_tape_state(client, keys, settings.budget)
    if as_json:
        data = as_data(tape) | ({"why": why_data(tape.whys)} if should_tell_why else {})
        print(json.dumps(data, ensure_ascii=False))  # noqa: T201
    else:
        Console().print(_view(tape, should_tell_why=should_tell_why))
    return UNHEALTHY if troubles(tape) else OK


def as_data(tape: TapeState) -> dict[str, Any]:
    """The state for programs."""
    data = {name: getattr(tape, name) for name in ("codes", "leases", "budgets", "groups")}
    return {
        "is_healthy": not troubles(tape),
        "troubles": troubles(tape),
        "now": tape.now,
        **{name: [dataclasses.asdict(one) for one in values] for name, values in data.items()},
        "statuses": [{**asdict(event.data), "time": event.time, "id": event.id} for event in tape.statuses],
    }


def _view(tape: TapeState, *, should_tell_why: bool) -> RenderableType:
    found = troubles(tape)
    verdict = [Text(f"unhealthy: {plain(line)}", "red") for line in found] or [Text("healthy", "green")]
    publishers = [lease.publisher for lease in tape.leases]
    shown = why_view(tape.whys, publishers) if should_tell_why else _tables(tape)
    return Group(*shown, *verdict)


def _tables(tape: TapeState) -> Iterator[Table]:
    used = {budget.account: f"{budget.used} of {budget.limit}" for budget in tape.budgets}
    yield _table(
        ("Publisher", "Account", "Codes", "Budget used"),
        [
            (
                lease.publisher,
                lease.account,
                _codes(lease),
                used.get(lease.account, ""),
            )
            for lease in tape.leases
        ],
    )
    yield _table(
        ("Code", "Seen", "Allowed", "Last", "Wanted by", "Polled by", "State"),
        [
            (
                code.code,
                "never" if code.observed_at is None else f"{age_text(tape.now - code.observed_at)} ago",
                "" if tape.is_resting else f"{tape.staleness_limit_s(code):.0f} s",
                "" if code.seq is None else f"#{code.seq}",
                wanted_by(is_watched=code.is_watched, subscribers=code.subscribers),
                ", ".join(code.polled_by),
                tape.state_of("code", code.code) or "",
            )
            for code in tape.codes
        ],
    )
    yield _table(
        ("Group", "Unread", "Pending", "Behind", "Given up"),
        [
            (group.name, str(group.lag), str(group.pending), age_text(group.behind_ms), str(group.dead))
            for group in tape.groups
        ],
    )
    yield _table(
        ("Status", "Name", "State", "Since", "Reason"),
        [
            (event.data.scope, event.data.name, event.data.state, event.time, event.data.reason or "")
            for event in tape.statuses
        ],
    )


def _codes(lease: Lease) -> str:
    if not lease.can_poll:
        return "cannot poll"
    return "" if lease.codes is None else str(lease.codes)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table
