"""The commands and their flags. What a command does is loaded when it runs, so that `--help` stays quick."""

import logging
import os
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import typer

from brokertape.cli import faults, flags
from brokertape.cli.flags import setting
from brokertape.cli.logs import set_up_logs
from brokertape.cli.running import run, unless_stopped
from brokertape.cli.settings import LogGroup, Settings
from brokertape.cli.settings_sources import load_settings, unknown_variables

logger = logging.getLogger("brokertape.cli")

commands = typer.Typer(
    name="brokertape",
    help="A tape of who is buying and selling Hong Kong stocks.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def app() -> None:
    """Run the command line and leave with its exit code; what a user can foresee ends in one line."""
    try:
        code = commands(standalone_mode=False) or faults.OK
    except typer.TyperException as error:  # a flag or an argument that cannot be meant
        code = _complain(faults.Fault(error.format_message(), faults.BAD_INPUT))
    except Exception as error:
        fault = faults.fault_of(error)
        if fault is None:
            raise  # ours, with its traceback
        code = _complain(fault)
    sys.exit(code)


def _complain(fault: faults.Fault) -> int:
    line = " ".join(fault.line.split())
    if line:  # none when the help was shown instead
        sys.stderr.write(f"brokertape: {line}\n")
    return fault.exit_code


def _start(context: typer.Context, work: Callable[..., Coroutine[Any, Any, int | None]]) -> int:
    """Run `work(settings, stop)` with the settings of the command line; its exit code."""
    settings = _settings(context)
    return _print(lambda: run(lambda stop: work(settings, stop)))


def _print(work: Callable[[], int]) -> int:
    """Do `work`, which prints; its exit code."""
    try:
        return work()
    except BrokenPipeError:  # `brokertape tail | head`: whoever read has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return faults.OK


def _start_short(context: typer.Context, work: Callable[..., Coroutine[Any, Any, int]]) -> int:
    """Run `work(settings)`, which a signal cuts short."""
    return _start(context, lambda settings, stop: unless_stopped(work(settings), stop))


def _settings(context: typer.Context) -> Settings:
    settings = load_settings(flags.flags_of(context), context.params.get("config"))
    # A command that prints an answer says nothing beside it but what is wrong.
    set_up_logs(settings.log if "log_level" in context.params else LogGroup(level="warning"))
    for name in unknown_variables():
        logger.warning("%s is no setting: ignored", name)
    return settings


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"brokertape {metadata.version('brokertape')}")
        raise typer.Exit


@commands.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    pass


@commands.command()
def publish(
    context: typer.Context,
    gateway_address: str | None = flags.GATEWAY,
    redis_url: str | None = flags.REDIS,
    publish_codes: str | None = setting("publish.codes", "--codes", metavar="CODE,CODE…"),
    redis_prefix: str | None = flags.PREFIX,
    redis_partitions: int | None = setting("redis.partitions", "--partitions", metavar="NUMBER"),
    publish_account: str | None = flags.ACCOUNT,
    publish_name: str | None = setting("publish.name", "--publisher", metavar="NAME"),
    gateway_rsa_key_file: Path | None = flags.RSA_KEY,
    gateway_packet_enc_algo: str | None = setting(
        "gateway.packet_enc_algo", "--encryption", metavar="AES_CBC|FTAES_ECB|NONE"
    ),
    gateway_request_timeout_s: float | None = flags.REQUEST_TIMEOUT,
    budget_limit: int | None = flags.LIMIT,
    budget_window_s: float | None = flags.WINDOW,
    log_format: str | None = flags.LOG_FORMAT,
    log_level: str | None = flags.LOG_LEVEL,
    config: Path | None = flags.CONFIG,
) -> int:
    """Poll the gateway and put every change on the tape, until told to end.

    A gateway that is away or not logged in is waited for.
    """
    from brokertape.cli.publish import publish as work

    return _start(context, work)


@commands.command()
def simulate(
    context: typer.Context,
    simulate_host: str | None = setting("simulate.host", "--host", metavar="ADDRESS"),
    simulate_port: int | None = setting("simulate.port", "--port", metavar="PORT"),
    simulate_rsa_key_file: Path | None = setting("simulate.rsa_key_file", "--rsa-key", metavar="FILE"),
    simulate_max_connections: int | None = setting("simulate.max_connections", "--max-connections", metavar="NUMBER"),
    simulate_keep_alive_interval_s: int | None = setting(
        "simulate.keep_alive_interval_s", "--keep-alive-interval", metavar="SECONDS"
    ),
    simulate_keep_alive_timeout_s: float | None = setting(
        "simulate.keep_alive_timeout_s", "--keep-alive-timeout", metavar="SECONDS"
    ),
    simulate_codes: str | None = setting("simulate.codes", "--codes", metavar="CODE,CODE…"),
    simulate_seed: int | None = setting("simulate.seed", "--seed", metavar="NUMBER"),
    simulate_trades_per_s: float | None = setting("simulate.trades_per_s", "--trades-per-s", metavar="NUMBER"),
    simulate_start: str | None = setting("simulate.start", "--start", metavar="now|busy|TIME"),
    simulate_speed: float | None = setting("simulate.speed", "--speed", metavar="FACTOR"),
    simulate_holidays: str | None = setting("simulate.holidays", "--holidays", metavar="DATE,DATE…"),
    simulate_half_days: str | None = setting("simulate.half_days", "--half-days", metavar="DATE,DATE…"),
    simulate_suspended_codes: str | None = setting("simulate.suspended_codes", "--suspended", metavar="CODE,CODE…"),
    simulate_idle_codes: str | None = setting("simulate.idle_codes", "--idle", metavar="CODE,CODE…"),
    simulate_repeated_name_codes: str | None = setting(
        "simulate.repeated_name_codes", "--repeated-names", metavar="CODE,CODE…"
    ),
    simulate_empty_name_codes: str | None = setting("simulate.empty_name_codes", "--empty-names", metavar="CODE,CODE…"),
    simulate_restatements: list[str] | None = setting("simulate.restatements", "--restate", metavar="CODE=SECONDS"),
    simulate_limit: int | None = setting("simulate.limit", "--limit", metavar="NUMBER"),
    simulate_window_s: float | None = setting("simulate.window_s", "--window", metavar="SECONDS"),
    simulate_snapshot_limit: int | None = setting("simulate.snapshot_limit", "--snapshot-limit", metavar="NUMBER"),
    simulate_counts_refused: bool | None = setting("simulate.counts_refused", "--counts-refused/--ignores-refused"),
    simulate_subscription_quota: int | None = setting(
        "simulate.subscription_quota", "--subscription-quota", metavar="NUMBER"
    ),
    simulate_language: str | None = setting("simulate.language", "--language", metavar="chs|en"),
    simulate_latency_ms: float | None = setting("simulate.latency_ms", "--latency", metavar="MS"),
    simulate_jitter_ms: float | None = setting("simulate.jitter_ms", "--jitter", metavar="MS"),
    simulate_stall_probability: float | None = setting("simulate.stall_probability", "--stalls", metavar="SHARE"),
    simulate_stall_ms: float | None = setting("simulate.stall_ms", "--stall", metavar="MS"),
    simulate_drop_reply_probability: float | None = setting(
        "simulate.drop_reply_probability", "--drops", metavar="SHARE"
    ),
    simulate_cut_reply_probability: float | None = setting("simulate.cut_reply_probability", "--cuts", metavar="SHARE"),
    simulate_refuse_logins_s: float | None = setting("simulate.refuse_logins_s", "--refuse-logins", metavar="SECONDS"),
    simulate_qot_logined: bool | None = setting("simulate.qot_logined", "--logged-in/--logged-out"),
    simulate_empty_codes: str | None = setting("simulate.empty_codes", "--empty", metavar="CODE,CODE…"),
    simulate_failing_codes: list[str] | None = setting("simulate.failing_codes", "--fail", metavar="CODE=TEXT"),
    simulate_log_file: Path | None = setting("simulate.log_file", "--log", metavar="FILE"),
    log_format: str | None = flags.LOG_FORMAT,
    log_level: str | None = flags.LOG_LEVEL,
    config: Path | None = flags.CONFIG,
) -> int:
    """Be a gateway: a made-up market behind the real protocol.

    Once it listens, its address is the one line on standard output.
    """
    from brokertape.cli.simulate import simulate as work

    return _start(context, work)


@commands.command()
def store(
    context: typer.Context,
    store_database: str | None = setting("store.database", "--database", metavar="FILE|URL"),
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    store_group: str | None = setting("store.group", "--group", metavar="NAME"),
    store_consumer: str | None = setting("store.consumer", "--consumer", metavar="NAME"),
    store_start: str | None = setting("store.start", "--start", metavar="earliest|new"),
    store_min_idle_ms: int | None = setting("store.min_idle_ms", "--min-idle", metavar="MS"),
    store_max_attempts: int | None = setting("store.max_attempts", "--max-attempts", metavar="NUMBER"),
    log_format: str | None = flags.LOG_FORMAT,
    log_level: str | None = flags.LOG_LEVEL,
    config: Path | None = flags.CONFIG,
) -> int:
    """Keep the tape in a database, every event once, until told to end.

    One process writes a database; any number may read it.
    """
    from brokertape.cli.store import store as work

    return _start(context, work)


@commands.command()
def tail(
    context: typer.Context,
    code: list[str] = typer.Option([], "--code", metavar="CODE", help="Only this code; may be given again."),
    feed: bool = typer.Option(False, "--feed", help="Status and watermarks of the feed as well."),
    from_start: bool = typer.Option(False, "--from-start", help="All that is still on the tape first."),
    as_json: bool = typer.Option(False, "--json", help="The payload of each event, byte for byte, on a line."),
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    config: Path | None = flags.CONFIG,
) -> int:
    """Print events as they come, a line each."""
    from brokertape.cli.tail import tail as work

    return _start(context, partial(work, codes=code, feed=feed, from_start=from_start, as_json=as_json))


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

    return _start(context, partial(work, code=code, once=once))


@commands.command()
def status(
    context: typer.Context,
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

    return _start_short(context, partial(work, as_json=as_json))


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

        return _start_short(context, partial(measure, seconds=seconds, code=code, second=second))
    from brokertape.cli.doctor import doctor as work

    return _start_short(context, work)


watch = typer.Typer(help="What is watched: changes take effect while publishers run.", no_args_is_help=True)
commands.add_typer(watch, name="watch")


@watch.command("add")
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

    return _start_short(context, partial(add, codes=codes, weight=weight, max_staleness_s=max_staleness))


@watch.command("remove")
def watch_remove(
    context: typer.Context,
    codes: list[str] = typer.Argument(metavar="CODE…", help="As HK.00700."),
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    config: Path | None = flags.CONFIG,
) -> int:
    """Watch codes no more. Exit code 1 if one was not watched."""
    from brokertape.cli.watch import remove

    return _start_short(context, partial(remove, codes=codes))


@watch.command("list")
def watch_list(
    context: typer.Context,
    as_json: bool = flags.AS_JSON,
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    config: Path | None = flags.CONFIG,
) -> int:
    """Print what is watched."""
    from brokertape.cli.watch import show

    return _start_short(context, partial(show, as_json=as_json))


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

    return _print(lambda: work(event, output))


@commands.command()
def demo(
    context: typer.Context,
    seconds: float | None = typer.Option(
        None, "--seconds", min=1, help="End after so long; by default Ctrl-C ends it."
    ),
    keep: Path | None = typer.Option(
        None, "--keep", metavar="DIR", help="An empty directory in which everything is kept; by default none is."
    ),
    port: int | None = typer.Option(
        None, "--port", min=1, max=65535, help="Where its Redis listens on this host; by default 6390, or a free one."
    ),
) -> int:
    """Show everything at once on a simulated gateway and a private Redis, then check every value stored.

    Exit code 1 if anything was lost, doubled or altered.
    """
    from brokertape.cli.demo import demo as work

    return _start(context, partial(work, seconds=seconds, keep=keep, port=port))
