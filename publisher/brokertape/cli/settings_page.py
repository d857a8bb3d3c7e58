"""docs/settings.md, from the settings themselves: `python -m brokertape.cli.settings_page > docs/settings.md`."""

import sys
import typing
from collections.abc import Iterator

from pydantic.fields import FieldInfo

from brokertape.cli.settings import Group, groups, shown_default, variable

_HEAD = """\
# Settings

A flag wins over an environment variable, that over the TOML file, that over the default. The file is `--config FILE`,
else the one that `BROKERTAPE_CONFIG` names, else `brokertape.toml` in the current directory if there is one. A name in
it that is not listed here is an error. Times end in their unit, `_s` or `_ms`; lists are `a,b` in flags and variables.
A variable with `_FILE` behind its name, as `BROKERTAPE_REDIS_URL_FILE=/run/secrets/redis`, names a file that holds the
value.

```toml
[redis]
url = "rediss://brokertape:PASSWORD@redis.example:6380"

[publish]
codes = ["HK.00700", "HK.00005"]
```

Passwords belong into the file or a variable: everybody on the machine can read a command line. They are shown nowhere.

(This page is made from the program: `python -m brokertape.cli.settings_page`.)
"""


def settings_page() -> str:
    """The page."""
    return "\n".join([_HEAD, *(line for name, group in groups().items() for line in _section(name, group))])


def _section(name: str, group: type[Group]) -> Iterator[str]:
    yield f"## [{name}]\n\n{group.__doc__}\n"
    yield "| name | variable | default | what |\n| --- | --- | --- | --- |"
    for field_name, field in group.model_fields.items():
        yield f"| `{field_name}` | `{variable(name, field_name)}` | {_default(field)} | {_text(field)} |"
    yield ""


def _default(field: FieldInfo) -> str:
    shown = shown_default(field.default)
    return f"`{shown}`" if shown else ""


def _text(field: FieldInfo) -> str:
    text = (field.description or "").replace("|", "\\|")
    choices = [choice for choice in _choices(field.annotation) if f"`{choice}`" not in text]
    return f"{text} ({', '.join(f'`{choice}`' for choice in choices)})" if choices else text


def _choices(annotation: object) -> Iterator[str]:
    """The values of a literal, also of an optional one."""
    if typing.get_origin(annotation) is typing.Literal:
        yield from typing.get_args(annotation)
    else:
        for argument in typing.get_args(annotation):
            yield from _choices(argument)


if __name__ == "__main__":
    sys.stdout.write(settings_page())
