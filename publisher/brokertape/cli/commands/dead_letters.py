"""`brokertape dead …`."""

from functools import partial
from pathlib import Path

import typer

from brokertape.cli import flags
from brokertape.cli.starting import start_short

commands = typer.Typer(
    help="What worker groups gave up on: entries that failed too often, with the reason.", no_args_is_help=True
)

DEAD_GROUP = typer.Argument(metavar="GROUP", help="As `storage`.")
DEAD_LETTERS = typer.Argument(None, metavar="LETTER…", help="As `dead list` names them.", show_default=False)
DEAD_ALL = typer.Option(False, "--all", help="Every letter of the group.")


@commands.command("list")
def dead_list(
    context: typer.Context,
    group: str | None = typer.Option(None, "--group", metavar="NAME", help="Of this group; by default of all."),
    as_json: bool = flags.AS_JSON,
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    config: Path | None = flags.CONFIG,
) -> int:
    """Print dead letters, the oldest first."""
    from brokertape.cli.dead import show_all

    return start_short(context, partial(show_all, group=group, as_json=as_json))


@commands.command("show")
def dead_show(
    context: typer.Context,
    group: str = DEAD_GROUP,
    letter: str = typer.Argument(metavar="LETTER", help="As `dead list` names it."),
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    config: Path | None = flags.CONFIG,
) -> int:
    """Print one dead letter with all its fields. Exit code 1 if it is not there."""
    from brokertape.cli.dead import show

    return start_short(context, partial(show, group=group, letter=letter))


@commands.command("retry")
def dead_retry(
    context: typer.Context,
    group: str = DEAD_GROUP,
    letters: list[str] | None = DEAD_LETTERS,
    is_all: bool = DEAD_ALL,
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    config: Path | None = flags.CONFIG,
) -> int:
    """Give letters back to their group, as if they had never been tried. Exit code 1 if one could not be."""
    from brokertape.cli.dead import retry

    return start_short(context, partial(retry, group=group, letters=letters or [], is_all=is_all))


@commands.command("drop")
def dead_drop(
    context: typer.Context,
    group: str = DEAD_GROUP,
    letters: list[str] | None = DEAD_LETTERS,
    is_all: bool = DEAD_ALL,
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    config: Path | None = flags.CONFIG,
) -> int:
    """Forget letters for good. Exit code 1 if one was not there."""
    from brokertape.cli.dead import drop

    return start_short(context, partial(drop, group=group, letters=letters or [], is_all=is_all))
