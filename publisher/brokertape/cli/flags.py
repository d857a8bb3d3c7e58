"""Flags of the command line that stand for settings: text and default come from the settings themselves.

A command's parameter is called `<group>_<name>` after its setting, which is how its value finds there.
"""

from pathlib import Path
from typing import Any

import typer

from brokertape.cli.settings import groups, shown_default
from brokertape.cli.settings_sources import Flags


def setting(name: str, *flags: str, metavar: str | None = None, hint: str = "") -> Any:
    """The option for the setting `group.name`; not given, it leaves the setting to the other sources."""
    group, _, field_name = name.partition(".")
    field = groups()[group].model_fields[field_name]
    return typer.Option(
        None,
        *flags,
        metavar=metavar,
        help=f"{field.description}{hint}.",
        show_default=shown_default(field.default) or False,
    )


def flags_of(context: typer.Context) -> Flags:
    """What was given of the parameters that stand for settings."""
    values: dict[str, dict[str, Any]] = {group: {} for group in groups()}
    names: dict[str, str] = {}
    for parameter in context.command.params:
        group, _, name = (parameter.name or "").partition("_")
        value = context.params.get(f"{group}_{name}")
        if group in values and value not in (None, []):
            values[group][name] = value
            names[f"{group}.{name}"] = parameter.opts[0]
    return Flags(values, names)


CONFIG: Path | None = typer.Option(
    None, "--config", metavar="FILE", help="Settings in TOML; by default brokertape.toml here, if there is one."
)
AS_JSON: bool = typer.Option(False, "--json", help="For programs: JSON on standard output.")
REDIS: str | None = setting("redis.url", "--redis", metavar="URL")
PREFIX: str | None = setting("redis.prefix", "--prefix", metavar="NAME")
PARTITIONS: int | None = setting("redis.partitions", "--partitions", metavar="NUMBER")
GATEWAY: str | None = setting("gateway.address", "--gateway", metavar="HOST:PORT")
RSA_KEY: Path | None = setting("gateway.rsa_key_file", "--rsa-key", metavar="FILE")
REQUEST_TIMEOUT: float | None = setting("gateway.request_timeout_s", "--request-timeout", metavar="SECONDS")
ACCOUNT: str | None = setting("publish.account", "--account", metavar="NAME")
LIMIT: int | None = setting("budget.limit", "--limit", metavar="NUMBER")
WINDOW: float | None = setting("budget.window_s", "--window", metavar="SECONDS")
LOG_FORMAT: str | None = setting("log.format", "--log-format", metavar="auto|console|json")
LOG_LEVEL: str | None = setting("log.level", "--log-level", metavar="debug|info|warning|error")
