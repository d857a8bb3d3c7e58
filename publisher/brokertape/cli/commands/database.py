"""The commands around the database: filling it, and what can be made of it."""

from functools import partial
from pathlib import Path
from typing import Literal

import typer

from brokertape.cli import flags
from brokertape.cli.flags import setting
from brokertape.cli.starting import start, start_short

commands = typer.Typer()


@commands.command()
def store(
    context: typer.Context,
    store_database: str | None = setting("store.database", "--database", metavar="FILE|URL"),
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    store_group: str | None = setting("store.group", "--group", metavar="NAME"),
    store_consumer: str | None = setting("store.consumer", "--consumer", metavar="NAME"),
    store_start: str | None = setting("store.start", "--start", metavar="earliest|new"),
    store_since: str | None = setting("store.since", "--since", metavar="TIME|ID"),
    store_concurrency: int | None = setting("store.concurrency", "--concurrency", metavar="NUMBER"),
    store_endpoint: str | None = setting("store.endpoint", "--endpoint", metavar="HOST:PORT"),
    store_min_idle_ms: int | None = setting("store.min_idle_ms", "--min-idle", metavar="MS"),
    store_max_attempts: int | None = setting("store.max_attempts", "--max-attempts", metavar="NUMBER"),
    log_format: str | None = flags.LOG_FORMAT,
    log_level: str | None = flags.LOG_LEVEL,
    config: Path | None = flags.CONFIG,
) -> int:
    """Keep the tape in a database, every event once, until told to end.

    One process writes an SQLite file, any number a PostgreSQL database; any number may read either.
    """
    from brokertape.cli.store import store as work

    return start(context, work)


@commands.command()
def export(
    context: typer.Context,
    table: Literal["events", "changes", "closes", "history"] = typer.Option(
        "changes", "--table", help="Changes with their events' times, closing lists and past days row by row."
    ),
    file_format: Literal["parquet", "csv"] = typer.Option("parquet", "--format", help="Parquet needs its extra."),
    first: str | None = typer.Option(
        None,
        "--from",
        metavar="DATE|TIME",
        help="The first that counts: of events and changes by observed_at, market time unless it has a zone; of closes "
        "and history by trading_date.",
    ),
    last: str | None = typer.Option(
        None, "--to", metavar="DATE|TIME", help="The last that counts; a date with its whole day."
    ),
    codes: list[str] = typer.Option([], "--code", metavar="CODE", help="Only this code; may be given again."),
    output: str | None = typer.Option(
        None,
        "--output",
        metavar="FILE",
        help="By default table and format, as changes.parquet; `-` is standard output, for CSV.",
    ),
    is_forced: bool = typer.Option(False, "--force", help="Replace a file that is there."),
    store_database: str | None = setting("store.database", "--database", metavar="FILE|URL"),
    config: Path | None = flags.CONFIG,
) -> int:
    """Write a table of the database into a file, for research. The storage worker may run meanwhile."""
    from brokertape.cli.export import Wish
    from brokertape.cli.export import export as work
    from brokertape.workers.storage.exports import Span

    span = Span(first, last)
    wish = Wish(table=table, file_format=file_format, span=span, codes=codes, output=output, is_forced=is_forced)
    return start_short(context, partial(work, wish=wish))


@commands.command()
def replay(
    context: typer.Context,
    begin: str | None = typer.Option(
        None, "--from", metavar="TIME", help="As `2026-05-08 09:30`, market time unless it has a zone."
    ),
    end: str | None = typer.Option(None, "--to", metavar="TIME", help="Up to before this."),
    day: str | None = typer.Option(None, "--day", metavar="DATE", help="One day of the market's calendar instead."),
    speed: str = typer.Option("1", "--speed", metavar="FACTOR|max", help="How much faster than it happened."),
    code: list[str] = typer.Option([], "--code", metavar="CODE", help="Only this code; may be given again."),
    prefix: str = typer.Option(
        "brokertape-replay", "--prefix", metavar="NAME", help="First part of every key of the tape that it makes."
    ),
    replace: bool = typer.Option(False, "--replace", help="Delete the tape of an earlier replay first."),
    store_database: str | None = setting("store.database", "--database", metavar="FILE|URL"),
    redis_url: str | None = flags.REDIS,
    redis_partitions: int | None = flags.PARTITIONS,
    log_format: str | None = flags.LOG_FORMAT,
    log_level: str | None = flags.LOG_LEVEL,
    config: Path | None = flags.CONFIG,
) -> int:
    """Publish a stored stretch once more, on a tape of its own: subscribers and rules run on the past unchanged.

    Every event goes out byte for byte as it was, with the stamps of then. The last complete list of each code before
    it, and what followed, comes first and at once.
    """
    from brokertape.cli.replay import replay as work
    from brokertape.cli.replay import speed_of, stretch_of

    stretch, factor = stretch_of(begin, end, day, code), speed_of(speed)
    return start(context, partial(work, stretch=stretch, speed=factor, prefix=prefix, replace=replace))


@commands.command()
def reconcile(
    context: typer.Context,
    codes: list[str] = typer.Argument(None, metavar="CODE…", help="As HK.00700; by default all.", show_default=False),
    date: str | None = typer.Option(
        None, "--date", metavar="DATE", help="As `2026-05-08`; by default the latest that has both lists."
    ),
    as_json: bool = flags.AS_JSON,
    store_database: str | None = setting("store.database", "--database", metavar="FILE|URL"),
    config: Path | None = flags.CONFIG,
) -> int:
    """Compare the final list of a stored day with the gateway's own list of that day. Exit code 1 if they differ.

    Ours is the one that the next day's rollover closed, or the latest one; the gateway's comes by `brokertape history`.
    """
    from brokertape.cli.reconcile import reconcile as work

    return start_short(context, partial(work, date=date, codes=codes or (), as_json=as_json))
