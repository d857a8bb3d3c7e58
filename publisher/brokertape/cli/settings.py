"""Every setting with its default, in groups, checked once at start. docs/settings.md is made from here."""

import enum
import os
import socket
from datetime import date, time
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from brokertape.tape.keys import DEFAULT_PARTITIONS, DEFAULT_PREFIX, Keys, check_code, check_name
from brokertape.tape.start import since

ENV_PREFIX = "BROKERTAPE_"


def _listed(value: object) -> object:
    """Flags and variables write a list as `a,b`."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _pairs(value: object) -> object:
    """A list of `CODE=value` as pairs."""
    listed = _listed(value)
    if not isinstance(listed, tuple | list):
        return listed
    return tuple(tuple(one.split("=", 1)) if isinstance(one, str) else one for one in listed)


def _range(value: object) -> object:
    """`LOW,HIGH`, or one number that is both."""
    listed = _listed(value)
    if not isinstance(listed, tuple | list):
        listed = (listed,)
    return (*listed, *listed) if len(listed) == 1 else listed


def host_and_port(address: str) -> tuple[str, int]:
    """The two halves of `HOST:PORT`; an IPv6 address stands in brackets.

    Raises:
        ValueError: They cannot be told apart.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or (":" in host and host[0] != "["):
        raise ValueError(f"{address!r}: write HOST:PORT, as in 127.0.0.1:11111")
    return host.strip("[]"), int(port)


def _key_prefix(prefix: str) -> str:
    return Keys(prefix).prefix


def _power_of_two(partitions: int) -> int:
    return Keys(partitions=partitions).partitions


def _address(address: str) -> str:
    host_and_port(address)
    return address


def _moment(moment: str) -> str:
    since(moment)
    return moment


def _market_time(moment: time) -> time:
    if moment.tzinfo is not None:
        raise ValueError("give a time of the market's day without a zone, as 18:00")
    return moment


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Codes = Annotated[tuple[Annotated[str, AfterValidator(check_code)], ...], BeforeValidator(_listed)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Name = Annotated[str, AfterValidator(partial(check_name, "name"))]
Moment = Annotated[str, AfterValidator(_moment)]
MarketTime = Annotated[time, AfterValidator(_market_time)]
Dates = Annotated[tuple[date, ...], BeforeValidator(_listed)]


class Group(BaseModel):
    """A group of settings. An unknown name in it is an error, so that a misspelt one is not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RedisGroup(Group):
    """Where the tape is."""

    url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379"),
        description="`redis://`, `rediss://` (TLS), `unix://`, `redis+cluster://` for any node of a Cluster, or "
        "`redis+sentinel://HOST:26379,HOST:26379/SERVICE` for the master that Sentinels name; user, password, "
        "database and `?ssl_ca_certs=FILE` go into it, the Sentinels' own login as `?sentinel_password=…`",
    )
    prefix: Annotated[str, AfterValidator(_key_prefix)] = Field(
        DEFAULT_PREFIX, description="First part of every key of the tape"
    )
    partitions: Annotated[int, AfterValidator(_power_of_two)] = Field(
        DEFAULT_PARTITIONS, description="Fixed when the tape is created: a power of two to 64"
    )
    timeout_s: Positive = Field(5.0, description="How long one command may take")

    @property
    def keys(self) -> Keys:
        """The keys of the tape as set; who only reads asks the tape itself for its partitions."""
        return Keys(self.prefix, self.partitions)


class GatewayGroup(Group):
    """The gateway (OpenD) that is asked."""

    address: Annotated[str, AfterValidator(_address)] = Field("127.0.0.1:11111", description="`HOST:PORT`")
    rsa_key_file: Path | None = Field(None, description="The private key (PEM) the gateway is set up with, if it is")
    packet_enc_algo: Literal["NONE", "FTAES_ECB", "AES_CBC"] | None = Field(
        None, description="By default AES_CBC with a key file, else NONE"
    )
    connect_timeout_s: float = Field(5.0, description="How long connecting may take")
    request_timeout_s: float = Field(5.0, description="How long a reply may take; its slot is taken for so long")
    reconnect_first_s: float = Field(1.0, description="Pause after the first failed attempt to connect; it grows")
    reconnect_max_s: float = Field(30.0, description="Longest pause between attempts")


class BudgetGroup(Group):
    """The gateway's limit and how requests are spread within it."""

    limit: Count = Field(30, description="Requests the gateway takes in any window")
    window_s: Positive = Field(30.0, description="Its length")
    margin_s: Annotated[float, Field(ge=0)] = Field(0.01, description="For `more than 30 s`, and for rounding")
    pace_requests: Count = Field(3, description="At most so many requests …")
    pace_window_s: Positive = Field(2.85, description="… in any so many seconds: a little faster than the limit")


class PublishGroup(Group):
    """`brokertape publish`."""

    codes: Codes = Field((), description="Watched from the start; `brokertape watch` adds and removes while it runs")
    name: Name | None = Field(None, description="This publisher's name; by default host name and process id")
    account: Name | None = Field(
        None,
        description="Whoever shares a budget has the same; by default it goes by the user that the gateway is logged "
        "in as, and is called by the first address at which that user was met",
    )
    heartbeat_s: Positive = Field(900.0, description="How often a code is asked while the market rests")
    snapshots: bool = Field(
        True, description="Whether market snapshots (a limit of their own) tell which codes have traded: sooner found"
    )
    pushed_quotes: Annotated[int, Field(ge=0)] = Field(
        0,
        description="Of so many codes, those that change most, the gateway pushes every quote: found a second sooner; "
        "each takes a unit of the account's subscription quota",
    )

    @property
    def publisher(self) -> str:
        """The name in force."""
        return self.name or f"{socket.gethostname()}-{os.getpid()}"


class HistoryGroup(Group):
    """`brokertape history`."""

    days: Annotated[int, Field(ge=1, le=250)] = Field(20, description="Trading days back that are filled")
    headroom: Annotated[int, Field(ge=0)] = Field(3, description="Slots of the window that past days leave free")
    quiet_s: Positive = Field(
        5.0, description="Past days rest for so long after a live request that had another so shortly before"
    )
    final_at: MarketTime = Field(
        time(18), description="Market time from which a day's list counts as final, and the nightly run begins"
    )


class RetentionGroup(Group):
    """How long the tape remembers; kept up by its publishers."""

    days: Positive = Field(7.0, description="An entry is kept for so many days")
    most_days: Positive = Field(14.0, description="… and for so many, for a worker group that has not had it yet")
    most_entries: Count = Field(1_000_000, description="Entries a partition keeps at all; a cut is reported")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.days > self.most_days:
            raise ValueError(f"days = {self.days:g} is more than most_days = {self.most_days:g}")
        return self


class StoreGroup(Group):
    """`brokertape store`."""

    # No repr: the URL of a database may hold a password.
    database: str = Field(
        "brokertape.db",
        repr=False,
        description="A file, or `postgresql://USER:PASSWORD@HOST/DATABASE` for more than one worker",
    )
    group: Name = Field("storage", description="Consumer group: workers that share it share the work")
    consumer: Name | None = Field(None, description="This worker's name in it; by default host name and process id")
    start: Literal["earliest", "new"] = Field("earliest", description="Where a new group begins: `earliest` or `new`")
    since: Moment | None = Field(None, description="… or at this market time or entry id, which wins over `start`")
    batch_size: Count = Field(500, description="Events written in one transaction, at most")
    concurrency: Count = Field(1, description="Transactions at once; SQLite takes one")
    prefetch: Annotated[int, Field(ge=64)] = Field(2000, description="Events read and not yet stored, at most")
    block_ms: Count = Field(1000, description="How long one read waits")
    max_attempts: Count = Field(5, description="Deliveries of one event before it goes to the dead letters")
    retry_first_s: Positive = Field(0.5, description="Pause before the second attempt; it doubles …")
    retry_most_s: Positive = Field(5.0, description="… up to this; less than `min_idle_ms`")
    handler_timeout_s: Positive = Field(60.0, description="How long one transaction may take")
    min_idle_ms: Count = Field(15_000, description="After so long an event of a dead worker is taken over")
    upkeep_every_s: Positive = Field(3.0, description="How often abandoned events are claimed, and the position saved")
    stop_timeout_s: Positive = Field(10.0, description="How long a stop may take")
    max_dead: Count = Field(10_000, description="Events a dead-letter stream keeps")
    endpoint: Annotated[str, AfterValidator(_address)] | None = Field(
        None, description="`HOST:PORT` at which `/metrics` and `/health` are served; by default nowhere"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.retry_most_s * 1000 >= self.min_idle_ms:
            raise ValueError(f"retry_most_s = {self.retry_most_s:g} must be less than min_idle_ms = {self.min_idle_ms}")
        if self.upkeep_every_s * 3000 > self.min_idle_ms:
            raise ValueError(
                f"upkeep_every_s = {self.upkeep_every_s:g} must be a third of min_idle_ms = {self.min_idle_ms} or less"
            )
        return self


class AlertGroup(Group):
    """`brokertape alert`."""

    rules: Path = Field(Path("rules.toml"), description="The file of rules and sinks, TOML; read again when it changes")
    group: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = Field(
        "alerts", description="Workers that share it share what the rules remember: one judges, the others stand by"
    )
    consumer: Name | None = Field(None, description="This worker's name in it; by default host name and process id")
    late_after_s: Positive = Field(60.0, description="Alerts on news older than this are told together, as late")
    lease_s: Annotated[float, Field(ge=0.5, allow_inf_nan=False)] = Field(
        10.0, description="After so long without a sign of life another worker takes over"
    )
    max_attempts: Count = Field(5, description="Times a sink may refuse one alert before it goes to the dead letters")
    stop_timeout_s: Positive = Field(10.0, description="How long a stop may take")
    endpoint: Annotated[str, AfterValidator(_address)] | None = Field(
        None, description="`HOST:PORT` at which `/metrics` and `/health` are served; by default nowhere"
    )


class SimulateGroup(Group):
    """`brokertape simulate`. What a value may be is checked by the simulator."""

    host: str = Field("127.0.0.1", description="Where it listens")
    port: int = Field(11111, description="0: any free one")
    rsa_key_file: Path | None = Field(None, description="Private key (PEM): sessions are encrypted")
    max_connections: int = Field(128, description="One more is closed at once")
    keep_alive_interval_s: int = Field(10, description="What clients are told")
    keep_alive_timeout_s: float = Field(30.0, description="A connection silent for so long is cut")
    login_user_id: int = Field(0, description="Whose account it is logged in to; 0: one of its own, by host and port")
    codes: Names | None = Field(None, description="The market's codes, the busiest first; by default 30 known ones")
    seed: int = Field(1, description="The same seed shows the same market")
    trades_per_s: float = Field(3.0, description="Mean over all codes and the trading hours")
    start: str = Field("now", description="`now`, `busy` (the last opening), or a market time as 2026-05-08T09:30")
    speed: float = Field(1.0, description="Market seconds a second")
    holidays: Dates = Field((), description="Days without trading, besides Saturdays and Sundays")
    half_days: Dates = Field((), description="Days with a morning only")
    suspended_codes: Names = Field((), description="Codes that do not trade")
    idle_codes: Names = Field((), description="Codes that nobody trades")
    delisted_codes: Names = Field((), description="Codes that have left the exchange")
    repeated_name_codes: Names = Field((), description="Codes with two brokers of one display name")
    empty_name_codes: Names = Field((), description="Codes with a broker without a name")
    restatements: Annotated[tuple[tuple[str, float], ...], BeforeValidator(_pairs)] = Field(
        (), description="`CODE=SECONDS`: totals are taken back so many market seconds after the start"
    )
    list_lag_s: Annotated[tuple[float, float], BeforeValidator(_range)] = Field(
        (0.0, 0.0), description="`LOW,HIGH`: a broker list shows each trade so many market seconds late, at random"
    )
    limit: int = Field(30, description="Requests it takes in any window")
    window_s: float = Field(30.0, description="Its length")
    snapshot_limit: int = Field(60, description="Market snapshots in any window")
    snapshot_codes: int = Field(
        400, description="Codes of one snapshot that its quote rights allow: 20 under the lowest, 0 without any"
    )
    counts_refused: bool = Field(False, description="Whether a refused request counts")
    past_days: int = Field(250, description="Past trading days it has lists of")
    subscription_quota: int = Field(300, description="Codes that can be subscribed")
    language: Literal["chs", "en"] = Field("chs", description="Of refusals: `chs` or `en`")
    latency_ms: float = Field(0.0, description="Delay of every message, each way")
    jitter_ms: float = Field(0.0, description="Further delay, 0 to this, at random")
    stall_probability: float = Field(0.0, description="Share of messages held up by `stall_ms`")
    stall_ms: float = Field(0.0, description="How long a stall is")
    drop_reply_probability: float = Field(0.0, description="Share of replies that vanish")
    cut_reply_probability: float = Field(0.0, description="Share of replies in which the connection ends")
    refuse_logins_s: float = Field(0.0, description="How long InitConnect is refused from the start; `inf`: for ever")
    qot_logined: bool = Field(True, description="Whether it is logged in to its quote server")
    empty_codes: Names = Field((), description="Codes whose lists are empty")
    failing_codes: Annotated[tuple[tuple[str, str], ...], BeforeValidator(_pairs)] = Field(
        (), description="`CODE=TEXT`: codes that are refused with a text"
    )
    log_file: Path | None = Field(None, description="Where every answer sent is appended, a JSON line each")


class LogGroup(Group):
    """What the program says of itself, on standard error."""

    format: Literal["auto", "console", "json"] = Field("auto", description="`auto`: key=value on a terminal, else JSON")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least that is said")


class Settings(BaseSettings):
    """All settings. Made by `load_settings`; nothing else reads the environment or the file."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,  # BROKERTAPE_GATEWAY_REQUEST_TIMEOUT_S: a group, and a name with underscores
        enable_decoding=False,  # `HK.00700,HK.00005` is no JSON
        extra="forbid",
        frozen=True,
    )

    redis: RedisGroup = RedisGroup()
    gateway: GatewayGroup = GatewayGroup()
    budget: BudgetGroup = BudgetGroup()
    publish: PublishGroup = PublishGroup()
    history: HistoryGroup = HistoryGroup()
    retention: RetentionGroup = RetentionGroup()
    store: StoreGroup = StoreGroup()
    alert: AlertGroup = AlertGroup()
    simulate: SimulateGroup = SimulateGroup()
    log: LogGroup = LogGroup()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """None but what is passed in: `load_settings` lays the sources over each other, to tell where a fault is."""
        return (init_settings,)


def groups() -> dict[str, type[Group]]:
    """Name → class of every group."""
    return {name: type(field.default) for name, field in Settings.model_fields.items()}


def variable(group: str, name: str) -> str:
    """The environment variable of a setting."""
    return f"{ENV_PREFIX}{group}_{name}".upper()


def shown_default(value: object) -> str:
    """A default as a user would write it; empty for none."""
    match value:
        case None | ():
            return ""
        case SecretStr():
            return value.get_secret_value()
        case bool():
            return str(value).lower()
        case enum.Enum():
            return str(value.value)
        case time():
            return f"{value:%H:%M}"
        case tuple():
            return ",".join(map(shown_default, value))
        case _:
            return f"{value:g}" if isinstance(value, float) else str(value)
