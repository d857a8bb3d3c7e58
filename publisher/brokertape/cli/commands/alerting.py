"""`brokertape alert …`."""

from functools import partial
from pathlib import Path

import typer

from brokertape.cli import flags
from brokertape.cli.flags import setting
from brokertape.cli.starting import print_answer, start_short

commands = typer.Typer(help="Rules over the tape, and what they fire on.", no_args_is_help=True)

RULES: Path = typer.Argument(metavar="RULES", help="The file of rules, TOML.", show_default=False)


@commands.command("check")
def alert_check(rules: Path = RULES) -> int:
    """Check a file of rules: its first fault with its line, or what each rule looks for."""
    from brokertape.cli.alert_check import check

    return print_answer(lambda: check(rules))


@commands.command("samples")
def alert_samples() -> int:
    """Print twelve sample rules, to begin with: `brokertape alert samples > rules.toml`."""
    from brokertape.cli.alert_check import print_samples

    return print_answer(print_samples)


@commands.command("try")
def alert_try(
    context: typer.Context,
    rules: Path = RULES,
    begin: str | None = typer.Option(
        None, "--from", metavar="TIME", help="As `2026-05-08 09:30`, market time unless it has a zone."
    ),
    end: str | None = typer.Option(None, "--to", metavar="TIME", help="Up to before this."),
    day: str | None = typer.Option(None, "--day", metavar="DATE", help="One day of the market's calendar instead."),
    code: list[str] = typer.Option([], "--code", metavar="CODE", help="Only this code; may be given again."),
    rule: list[str] = typer.Option([], "--rule", metavar="NAME", help="Only this rule; may be given again."),
    explain: bool = typer.Option(
        False, "--explain", help="With each alert what its condition saw; and of each rule how often it was close."
    ),
    as_json: bool = flags.AS_JSON,
    store_database: str | None = setting("store.database", "--database", metavar="FILE|URL"),
    config: Path | None = flags.CONFIG,
) -> int:
    """Say what would have fired on a stored stretch, and why. Nothing is sent to anybody.

    Windows, cooldowns and all else go by the data's time. The stretch begins with the lists as they stood before it.
    """
    from brokertape.cli.alert_try import Wish
    from brokertape.cli.alert_try import try_rules as work
    from brokertape.cli.replay import stretch_of

    wish = Wish(rules, stretch_of(begin, end, day, code), frozenset(rule), explain=explain, as_json=as_json)
    return start_short(context, partial(work, wish=wish))
