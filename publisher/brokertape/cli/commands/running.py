"""The commands that run for as long as they are let: the parts of the product, and the demo of all of them."""

from functools import partial
from pathlib import Path

import typer

from brokertape.cli import flags
from brokertape.cli.flags import setting
from brokertape.cli.starting import start

commands = typer.Typer()


@commands.command()
def publish(
    context: typer.Context,
    gateway_address: str | None = flags.GATEWAY,
    redis_url: str | None = flags.REDIS,
    publish_codes: str | None = setting("publish.codes", "--codes", metavar="CODE,CODE…"),
    redis_prefix: str | None = flags.PREFIX,
    redis_partitions: int | None = flags.PARTITIONS,
    publish_account: str | None = flags.ACCOUNT,
    publish_name: str | None = setting("publish.name", "--publisher", metavar="NAME"),
    publish_snapshots: bool | None = setting("publish.snapshots", "--snapshots/--no-snapshots"),
    publish_pushed_quotes: int | None = setting("publish.pushed_quotes", "--pushed-quotes", metavar="NUMBER"),
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

    return start(context, work)


@commands.command()
def history(
    context: typer.Context,
    codes: list[str] = typer.Argument(None, metavar="CODE…", help="As HK.00700.", show_default=False),
    watched: bool = typer.Option(False, "--watched", help="The watch list's codes."),
    nightly: bool = typer.Option(False, "--nightly", help="Stay, and fill what is missing every evening."),
    again: bool = typer.Option(False, "--again", help="Ask for what was published before as well."),
    history_days: int | None = setting("history.days", "--days", metavar="NUMBER"),
    gateway_address: str | None = flags.GATEWAY,
    redis_url: str | None = flags.REDIS,
    redis_prefix: str | None = flags.PREFIX,
    publish_account: str | None = flags.ACCOUNT,
    gateway_rsa_key_file: Path | None = flags.RSA_KEY,
    gateway_request_timeout_s: float | None = flags.REQUEST_TIMEOUT,
    budget_limit: int | None = flags.LIMIT,
    budget_window_s: float | None = flags.WINDOW,
    log_format: str | None = flags.LOG_FORMAT,
    log_level: str | None = flags.LOG_LEVEL,
    config: Path | None = flags.CONFIG,
) -> int:
    """Publish the final lists of past trading days that are not there yet, newest first.

    Asks only when the live list of the account has nothing to do. Ended in the middle, it goes on when it is run again.
    """
    from brokertape.cli.history import history as work

    return start(context, partial(work, codes=codes, watched=watched, nightly=nightly, again=again))


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
    simulate_login_user_id: int | None = setting("simulate.login_user_id", "--login-user-id", metavar="NUMBER"),
    simulate_codes: str | None = setting("simulate.codes", "--codes", metavar="CODE,CODE…"),
    simulate_seed: int | None = setting("simulate.seed", "--seed", metavar="NUMBER"),
    simulate_trades_per_s: float | None = setting("simulate.trades_per_s", "--trades-per-s", metavar="NUMBER"),
    simulate_start: str | None = setting("simulate.start", "--start", metavar="now|busy|TIME"),
    simulate_speed: float | None = setting("simulate.speed", "--speed", metavar="FACTOR"),
    simulate_holidays: str | None = setting("simulate.holidays", "--holidays", metavar="DATE,DATE…"),
    simulate_half_days: str | None = setting("simulate.half_days", "--half-days", metavar="DATE,DATE…"),
    simulate_suspended_codes: str | None = setting("simulate.suspended_codes", "--suspended", metavar="CODE,CODE…"),
    simulate_idle_codes: str | None = setting("simulate.idle_codes", "--idle", metavar="CODE,CODE…"),
    simulate_delisted_codes: str | None = setting("simulate.delisted_codes", "--delisted", metavar="CODE,CODE…"),
    simulate_repeated_name_codes: str | None = setting(
        "simulate.repeated_name_codes", "--repeated-names", metavar="CODE,CODE…"
    ),
    simulate_empty_name_codes: str | None = setting("simulate.empty_name_codes", "--empty-names", metavar="CODE,CODE…"),
    simulate_restatements: list[str] | None = setting("simulate.restatements", "--restate", metavar="CODE=SECONDS"),
    simulate_list_lag_s: str | None = setting("simulate.list_lag_s", "--list-lag", metavar="LOW,HIGH"),
    simulate_limit: int | None = setting("simulate.limit", "--limit", metavar="NUMBER"),
    simulate_window_s: float | None = setting("simulate.window_s", "--window", metavar="SECONDS"),
    simulate_snapshot_limit: int | None = setting("simulate.snapshot_limit", "--snapshot-limit", metavar="NUMBER"),
    simulate_snapshot_codes: int | None = setting("simulate.snapshot_codes", "--snapshot-codes", metavar="NUMBER"),
    simulate_counts_refused: bool | None = setting("simulate.counts_refused", "--counts-refused/--ignores-refused"),
    simulate_past_days: int | None = setting("simulate.past_days", "--past-days", metavar="NUMBER"),
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

    return start(context, work)


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

    return start(context, partial(work, seconds=seconds, keep=keep, port=port))
