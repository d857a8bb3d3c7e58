"""`brokertape alert …`."""

from functools import partial
from pathlib import Path

import typer

from brokertape.cli import flags
from brokertape.cli.flags import setting
from brokertape.cli.starting import print_answer, start, start_short

commands = typer.Typer(invoke_without_command=True)

RULES: Path = typer.Argument(metavar="RULES", help="The file of rules, TOML.", show_default=False)


@commands.callback()
def alert(
    context: typer.Context,
    alert_rules: Path | None = setting("alert.rules", "--rules", metavar="FILE"),
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    alert_group: str | None = setting("alert.group", "--group", metavar="NAME"),
    alert_consumer: str | None = setting("alert.consumer", "--consumer", metavar="NAME"),
    alert_late_after_s: float | None = setting("alert.late_after_s", "--late-after", metavar="SECONDS"),
    alert_lease_s: float | None = setting("alert.lease_s", "--lease", metavar="SECONDS"),
    alert_max_attempts: int | None = setting("alert.max_attempts", "--max-attempts", metavar="NUMBER"),
    alert_endpoint: str | None = setting("alert.endpoint", "--endpoint", metavar="HOST:PORT"),
    log_format: str | None = flags.LOG_FORMAT,
    log_level: str | None = flags.LOG_LEVEL,
    config: Path | None = flags.CONFIG,
) -> int:
    """Judge the tape by rules and tell the sinks of the same file, until told to end.

    Without a sink in the file, alerts go to standard output. The rules are read again when the file changes.
    """
    if context.invoked_subcommand is not None:
        return 0
    from brokertape.cli.alert import alert as work

    return start(context, work)


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
