"""Where settings come from, and whose fault it is when one cannot be meant.

A flag wins over an environment variable (`BROKERTAPE_<GROUP>_<NAME>`), that over the TOML file (`[group]`,
`name = …`), that over the default. The file is `--config`, else `BROKERTAPE_CONFIG`, else `brokertape.toml` in the
current directory if there is one. A variable with `_FILE` behind its name names a file whose content is the value, for
what nobody should read in an environment.
"""

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from brokertape.cli.faults import SettingsError
from brokertape.cli.settings import ENV_PREFIX, Settings, groups, variable

CONFIG_VARIABLE = f"{ENV_PREFIX}CONFIG"
TEST_PREFIX = f"{ENV_PREFIX}TEST_"  # how the project's own tests are set up
DEFAULT_CONFIG = Path("brokertape.toml")
FILE_SUFFIX = "_FILE"
FILE_MAX_BYTES = 65_536

Values = Mapping[str, Any]  # group → name → value


@dataclass(frozen=True, slots=True)
class Flags:
    """What was given on the command line: group → name → value, and which flag stands for `group.name`."""

    values: Values
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Layer:
    """The values of one source, and how a user finds the setting `group.name` in it."""

    values: Values
    place: Callable[[str], str]


def load_settings(flags: Flags, config: Path | None = None) -> Settings:
    """The settings in force; `config` is the file named on the command line.

    Raises:
        SettingsError: One line that says where the setting stands and what would do.
    """
    layers = [
        _Layer(flags.values, lambda name: flags.names.get(name, name)),
        _Layer(_read_environment(), _place_in_environment),
        _Layer(_read_named_files(), lambda name: f"{_place_in_environment(name)}{FILE_SUFFIX}"),
    ]
    if path := _config_path(config):
        layers.append(_Layer(_read_file(path), lambda name: f"{path}: {name}"))
    try:
        return Settings(**_merged(layers))
    except ValidationError as error:
        raise _first_fault(error, layers) from error


def unknown_variables() -> list[str]:
    """Variables that look like ours and are not. No error: Kubernetes makes some for a service of our name."""
    known = _variables().keys() | _file_variables().keys()
    ours = (name for name in os.environ if name.startswith(ENV_PREFIX) and not name.startswith(TEST_PREFIX))
    return sorted(name for name in ours if name not in known and name != CONFIG_VARIABLE)


def _read_environment() -> dict[str, Any]:
    found = EnvSettingsSource(Settings)()
    known = {group: fields.model_fields for group, fields in groups().items()}
    return {
        group: {name: value for name, value in values.items() if name in known[group]}
        for group, values in found.items()
        if isinstance(values, Mapping)
    }


def _variables() -> dict[str, tuple[str, str]]:
    """Group and name of a setting, by its variable."""
    return {variable(group, name): (group, name) for group, fields in groups().items() for name in fields.model_fields}


def _file_variables() -> dict[str, tuple[str, str]]:
    """Likewise, by the variable that names a file with its value, unless that is a setting itself."""
    plain = _variables()
    return {f"{name}{FILE_SUFFIX}": setting for name, setting in plain.items() if f"{name}{FILE_SUFFIX}" not in plain}


def _read_named_files() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, (group, setting) in _file_variables().items():
        if path := os.environ.get(name):
            if variable(group, setting) in os.environ:
                raise SettingsError(f"{name}: {variable(group, setting)} is there too, give one of them")
            found.setdefault(group, {})[setting] = _content(name, Path(path))
    return found


def _content(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_MAX_BYTES + 1)
        if len(content) > FILE_MAX_BYTES:
            raise SettingsError(f"{name}: {path} is larger than {FILE_MAX_BYTES} bytes")
        return content.decode().strip()
    except OSError as error:
        raise SettingsError(f"{name}: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{name}: {path}: not UTF-8") from error


def _place_in_environment(name: str) -> str:
    """The variable of `group.name`; of a group alone, whose settings do not go together, what they all begin with."""
    group, _, field = name.partition(".")
    return variable(group, field or "*")


def _config_path(config: Path | None) -> Path | None:
    """The file to read; one that was asked for has to be there."""
    if config is not None:
        return config
    if named := os.environ.get(CONFIG_VARIABLE):
        return Path(named)
    return DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # bad TOML, or not UTF-8
        raise SettingsError(f"{path}: {error}") from error


def _merged(layers: Sequence[_Layer]) -> dict[str, Any]:
    """The first layer on top, group by group. What should be a group and is none stays, to be refused."""
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        for group, values in layer.values.items():
            under = merged.get(group, {})
            if not isinstance(under, Mapping):
                continue
            merged[group] = {**under, **values} if isinstance(values, Mapping) else values
    return merged


def _first_fault(error: ValidationError, layers: Sequence[_Layer]) -> SettingsError:
    """The first thing wrong, in the words of the source it comes from. Never the value: it may be a secret."""
    fault = error.errors(include_url=False, include_context=False)[0]
    path = [part for part in fault["loc"] if isinstance(part, str)][:2]
    name = ".".join(path)
    holders = [layer for layer in layers if _holds(layer.values, path)]
    # One that is itself wrong was given by the first that holds it; of a whole group most stands in the last.
    place = holders[0 if len(path) > 1 else -1].place(name) if holders else name
    if fault["type"] == "extra_forbidden":
        return SettingsError(f"{place}: no such setting{_suggestion(path)}")
    return SettingsError(f"{place}: {fault['msg'].removeprefix('Value error, ')}")


def _holds(values: Any, path: Sequence[str]) -> bool:
    for name in path:
        if not isinstance(values, Mapping) or name not in values:
            return False
        values = values[name]
    return True


def _suggestion(path: Sequence[str]) -> str:
    known = (groups()[path[0]] if len(path) > 1 else Settings).model_fields
    close = difflib.get_close_matches(path[-1], known, n=1)
    return f", do you mean {close[0]}?" if close else f"; there are {', '.join(known)}"
