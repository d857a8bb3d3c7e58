"""`brokertape watch …`."""

from functools import partial
from pathlib import Path

import typer

from brokertape.cli import flags
from brokertape.cli.starting import start_short

commands = typer.Typer(help="What is watched: changes take effect while publishers run.", no_args_is_help=True)


@commands.command("add")
def watch_add(
    context: typer.Context,
    codes: list[str] = typer.Argument(metavar="CODE…", help="As HK.00700."),
    weight: float = typer.Option(1.0, "--weight", help="How much more than others it is wanted."),
    max_staleness: float | None = typer.Option(
        None, "--max-staleness", metavar="SECONDS", help="See it at least so often."
    ),
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    config: Path | None = flags.CONFIG,
) -> int:
    """Watch codes, or change how urgently."""
    from brokertape.cli.watch import add

    return start_short(context, partial(add, codes=codes, weight=weight, max_staleness_s=max_staleness))


@commands.command("remove")
def watch_remove(
    context: typer.Context,
    codes: list[str] = typer.Argument(metavar="CODE…", help="As HK.00700."),
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    config: Path | None = flags.CONFIG,
) -> int:
    """Watch codes no more. Exit code 1 if one was not watched."""
    from brokertape.cli.watch import remove

    return start_short(context, partial(remove, codes=codes))


@commands.command("list")
def watch_list(
    context: typer.Context,
    as_json: bool = flags.AS_JSON,
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    config: Path | None = flags.CONFIG,
) -> int:
    """Print what is watched."""
    from brokertape.cli.watch import show

    return start_short(context, partial(show, as_json=as_json))
