"""Which line of a TOML text a key stands on: the standard library's reader does not say. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEADER = re.compile(r"\s*\[{1,2}\s*([^\[\]]+?)\s*\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*(?:"([^"]+)"|'([^']+)'|([\w-]+))\s*(?:\.|=)""")
_QUOTES = ('"""', "'''")


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


def line_of(text: str, table: str, index: int = 0, key: str | None = None) -> int:
    """The line of the `index`-th table of that name, or of a key in it; that of the table if the key is not there."""
    tables = [section for section in sections(text) if section.name == table]
    if index >= len(tables):
        return 1
    return tables[index].keys.get(key or "", tables[index].line)


def _outside_of_strings(text: str) -> Iterator[tuple[int, str]]:
    """Lines that do not begin within a string of several lines."""
    inside: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        begins_inside = inside is not None
        rest = line
        while rest:
            quote = inside or next((one for one in _QUOTES if one in rest), None)
            if quote is None or quote not in rest:
                break
            rest = rest.partition(quote)[2]
            inside = None if inside else quote
        if not begins_inside:
            yield number, line
