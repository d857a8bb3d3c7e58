"""Which line of a TOML text a key stands on: the standard library's reader does not say. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEADER = re.compile(r"\s*\[{1,2}\s*([^\[\]]+?)\s*\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*(?:"([^"]+)"|'([^']+)'|([\w-]+))\s*(?:\.|=)""")
_QUOTES = ('"""', "'''")
_QUOTED = re.compile(r"""\"{3}|'{3}|"(?:[^"\\]|\\.)*"|'[^']*'|#.*""")


@dataclass(slots=True)
class Section:
    """A table of the text: its name, and its keys by the lines they stand on, which count from 1."""

    name: str
    line: int
    keys: dict[str, int] = field(default_factory=dict)


def sections(text: str) -> list[Section]:
    """The tables of a valid TOML text, in order; keys before the first stand in one without a name."""
    found = [Section("", 1)]
    for number, line in _outside_of_strings(text):
        header = _HEADER.match(line)
        if header:
            found.append(Section(header[1], number))
            continue
        key = _KEY.match(line)
        if key:
            found[-1].keys.setdefault(key[1] or key[2] or key[3], number)
    return found


def find_line(text: str, table: str, index: int = 0, key: str | None = None) -> int | None:
    """The line of a key in the `index`-th table of that name, or of the table itself; None if it is not there."""
    tables = [section for section in sections(text) if section.name == table]
    if index >= len(tables):
        return None
    return tables[index].keys.get(key) if key else tables[index].line


def _outside_of_strings(text: str) -> Iterator[tuple[int, str]]:
    """Lines that do not begin within a string of several lines, by TOML's own line ends."""
    inside: str | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if inside is None:
            yield number, line
        for found in _QUOTED.finditer(line):
            inside = _after(inside, found[0])


def _after(inside: str | None, found: str) -> str | None:
    """Within which string of several lines one is behind `found`; comments and whole strings change nothing."""
    if inside is not None:
        return None if found == inside else inside
    return found if found in _QUOTES else None
