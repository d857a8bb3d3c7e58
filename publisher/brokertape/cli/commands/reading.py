"""The commands that look at a tape: as it comes, as it stands, and whether it is well."""

from functools import partial
from pathlib import Path

import typer

from brokertape.cli import flags
from brokertape.cli.flags import setting
from brokertape.cli.starting import print_answer, start, start_short

commands = typer.Typer()


@commands.command()
def tail(
    context: typer.Context,
    code: list[str] = typer.Option([], "--code", metavar="CODE", help="Only this code; may be given again."),
    feed: bool = typer.Option(False, "--feed", help="Status and watermarks of the feed as well."),
    past: bool = typer.Option(False, "--history", help="Past trading days as well."),
    from_start: bool = typer.Option(False, "--from-start", help="All that is still on the tape first."),
    as_json: bool = typer.Option(False, "--json", help="The payload of each event, byte for byte, on a line."),
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    config: Path | None = flags.CONFIG,
) -> int:
    """Print events as they come, a line each."""
    from brokertape.cli.tail import tail as work

    return start(context, partial(work, codes=code, feed=feed, past=past, from_start=from_start, as_json=as_json))


@commands.command()
def top(
    context: typer.Context,
    code: str = typer.Argument(metavar="CODE", help="As HK.00700."),
    once: bool = typer.Option(False, "--once", help="Print the book and end; the default when nobody watches."),
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    config: Path | None = flags.CONFIG,
) -> int:
    """Show one code's book, live."""
    from brokertape.cli.top import top as work

    return start(context, partial(work, code=code, once=once))


@commands.command()
def book(
    context: typer.Context,
    code: str = typer.Argument(metavar="CODE", help="As HK.00700."),
    at: str | None = typer.Option(
        None,
        "--at",
        metavar="TIME",
        help="As it was known then, from the database: as `2026-05-08 14:30`, market time unless it has a zone.",
    ),
    as_json: bool = flags.AS_JSON,
    store_database: str | None = setting("store.database", "--database", metavar="FILE|URL", hint="; with --at"),
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    config: Path | None = flags.CONFIG,
) -> int:
    """Print one code's list: the latest from Redis, or with --at the exact one of a moment of the past."""
    if at is None and store_database is not None:
        raise typer.BadParameter("--database goes with --at: the latest list comes from Redis")
    from brokertape.cli.book import book as work

    return start_short(context, partial(work, code=code, at=at, as_json=as_json))


@commands.command()
def status(
    context: typer.Context,
    should_tell_why: bool = typer.Option(
        False, "--why", help="Why each code is polled when it is, instead: rates, ages, indices, reasons."
    ),
    as_json: bool = flags.AS_JSON,
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    config: Path | None = flags.CONFIG,
) -> int:
    """Say whether the tape is well: freshness, budget, publishers, groups. Exit code 1 when it is unhealthy.

    Unhealthy is: no publisher is running; its gateway is lost or refuses; a watched code is refused, suspended, or,
    while the market trades, was not seen for longer than its max_staleness_s and 5 s or, without one, than three
    rounds of the list take (at least 60 s); a consumer group is 60 s behind or has given an entry up.
    """
    from brokertape.cli.status import status as work

    return start_short(context, partial(work, should_tell_why=should_tell_why, as_json=as_json))


@commands.command()
def doctor(
    context: typer.Context,
    should_measure: bool = typer.Option(
        False,
        "--measure",
        help="Ask the gateway what its documents leave open, and say what to set. Takes about 4 minutes and the whole "
        "budget; passes the limit on purpose by a few requests, so stop the account's publishers first.",
    ),
    seconds: float = typer.Option(60.0, "--seconds", min=0, help="With --measure: how long one table is watched."),
    code: str | None = typer.Option(None, "--code", metavar="CODE", help="With --measure: whose table."),
    second: str | None = typer.Option(
        None, "--second-gateway", metavar="HOST:PORT", help="With --measure: another gateway of the same account."
    ),
    gateway_address: str | None = flags.GATEWAY,
    gateway_rsa_key_file: Path | None = flags.RSA_KEY,
    gateway_request_timeout_s: float | None = flags.REQUEST_TIMEOUT,
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    publish_account: str | None = flags.ACCOUNT,
    budget_limit: int | None = flags.LIMIT,
    budget_window_s: float | None = flags.WINDOW,
    config: Path | None = flags.CONFIG,
) -> int:
    """Look at gateway, Redis and clocks: what is wrong, and what to do. Exit code 1 if something is.

    Asks for one table, which takes a slot of the budget: beside a busy publisher that may take a few seconds.
    """
    if should_measure:
        from brokertape.cli.measure import measure

        return start_short(context, partial(measure, seconds=seconds, code=code, second=second))
    from brokertape.cli.doctor import doctor as work

    return start_short(context, work)


@commands.command()
def schema(
    event: str | None = typer.Argument(
        None, metavar="EVENT", help="One type of event alone, as `change`: its JSON Schema.", show_default=False
    ),
    output: Path | None = typer.Option(
        None, "--output", metavar="DIR", help="Write files into this directory instead: the document and every schema."
    ),
) -> int:
    """Print the contract for other languages: the AsyncAPI document, or the JSON Schema of one event."""
    from brokertape.cli.schema import schema as work

    return print_answer(lambda: work(event, output))
