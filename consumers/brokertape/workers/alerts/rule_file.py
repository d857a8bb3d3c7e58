"""The file of rules: TOML, checked as a whole, and every fault told with its line."""

import hashlib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from brokertape.tape.errors import InvalidCode
from brokertape.tape.keys import check_code
from brokertape.tape.wording import plain
from brokertape.workers.alerts.cel import Cel
from brokertape.workers.alerts.durations import Duration
from brokertape.workers.alerts.errors import ExpressionError, RuleFileError
from brokertape.workers.alerts.expression import Expression, Language
from brokertape.workers.alerts.news import CHANGE
from brokertape.workers.alerts.rules import SIDES, About, Names, Rule, RuleSet, is_pattern, vocabulary
from brokertape.workers.alerts.sinks.table import CONSOLE, SinkTable
from brokertape.workers.alerts.toml_lines import find_line

MAX_BYTES = 1_000_000
MAX_RULES = 1_000
MAX_SINKS = 20
MAX_POLLS = 100


def _code_pattern(pattern: str) -> str:
    if not is_pattern(pattern):
        try:
            check_code(pattern)
        except InvalidCode as error:
            raise ValueError(str(error)) from error
    return pattern


Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
CodePattern = Annotated[str, AfterValidator(_code_pattern)]
Condition = Annotated[str, Field(min_length=1)]
Kind = Literal["change", "baseline", "rollover", "correction"]


class RuleTable(BaseModel):
    """One `[[rule]]`, as it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Slug
    text: Annotated[str, Field(max_length=500)] = ""
    codes: Annotated[list[CodePattern], Field(min_length=1)] | None = None
    brokers: Annotated[list[str], Field(min_length=1)] | None = None
    sides: Annotated[list[Literal["buy", "sell"]], Field(min_length=1)] | None = None
    when: Condition | None = None
    until: Condition | None = None
    over: Duration | None = None
    polls: Annotated[int, Field(ge=2, le=MAX_POLLS)] | None = None
    together: Annotated[list[Literal["brokers", "codes"]], Field(min_length=1)] | None = None
    cooldown: Duration | None = None
    on: Annotated[list[Kind], Field(min_length=1)] | None = None
    stale_after: Duration | None = None

    @property
    def about(self) -> About:
        """Whom it judges."""
        if self.stale_after is not None:
            return About.FRESHNESS
        match "brokers" in (self.together or ()), "codes" in (self.together or ()):
            case True, True:
                return About.BASKET_TOGETHER
            case True, False:
                return About.TOGETHER
            case False, True:
                return About.BASKET
            case _:
                return About.BROKER


class FileTable(BaseModel):
    """The file, as it is written; its rules are looked at one by one."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    groups: dict[Slug, Annotated[list[str], Field(min_length=1)]] = {}
    names: dict[str, str] = {}
    rule: Annotated[list[dict[str, Any]], Field(max_length=MAX_RULES)] = []
    sink: Annotated[list[dict[str, Any]], Field(max_length=MAX_SINKS)] = []


def load_rules(path: Path, language: Language | None = None) -> RuleSet:
    """The rules in `path`.

    Raises:
        RuleFileError: It cannot be read, or something in it cannot be meant: file, line and reason.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RuleFileError(f"{path}: {error.strerror or error}") from error
    if len(content) > MAX_BYTES:
        raise RuleFileError(f"{path}: larger than {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RuleFileError(f"{path}: not UTF-8, at byte {error.start}") from error
    return parse_rules(text, str(path), language)


def parse_rules(text: str, name: str = "rules", language: Language | None = None) -> RuleSet:
    """The rules in `text`; `name` is what error lines call it. Raises RuleFileError."""
    return _Reader(text, name, language or Cel()).read()


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one text. Every fault becomes a RuleFileError with the line it stands on."""

    text: str
    name: str
    language: Language

    def read(self) -> RuleSet:
        try:
            tables = tomllib.loads(self.text)
        except (ValueError, RecursionError) as error:
            raise self._fault(self._line_in(str(error)), str(error).partition(" (at ")[0]) from error
        file = self._checked(TypeAdapter(FileTable), tables, self._line_in_file)
        for group, members in file.groups.items():
            if any(member.startswith("@") for member in members):
                raise self._fault(self._line_in_file(("groups", group)), f"group {group!r}: a group holds names only")
        rules = [self._rule(file, index, table) for index, table in enumerate(file.rule)]
        self._check_names("rule", [rule.name for rule in rules])
        if not rules:
            raise self._fault(1, "there is no [[rule]] in it")
        sinks = [self._sink(index, table) for index, table in enumerate(file.sink)]
        self._check_names("sink", [sink.name for sink in sinks])
        return RuleSet(tuple(rules), self.language, dict(file.names), tuple(sinks) or (CONSOLE,))

    def _sink(self, index: int, written: Mapping[str, Any]) -> SinkTable:
        def line(location: tuple[Any, ...]) -> int:
            return self._line(index, str(location[0]) if location else None, "sink")

        return self._checked(TypeAdapter(SinkTable), written, line)

    def _rule(self, file: FileTable, index: int, written: Mapping[str, Any]) -> Rule:
        def line(location: tuple[Any, ...]) -> int:
            return self._line(index, str(location[0]) if location else None)

        table = self._checked(TypeAdapter(RuleTable), written, line)
        for key, reason in _conflicts(table):
            raise self._fault(self._line(index, key), f"{table.name}: {reason}")
        rule = self._compiled(file, index, table)
        if rule.about is About.BASKET_TOGETHER and rule.brokers.has_patterns:
            reason = "brokers together across codes have to be spelt out: whom else a pattern would meet nobody knows"
            raise self._fault(self._line(index, "brokers"), f"{table.name}: {reason}")
        return rule

    def _compiled(self, file: FileTable, index: int, table: RuleTable) -> Rule:
        when, until = (self._condition(index, table, key) for key in ("when", "until"))
        is_state = any((table.over, table.polls, until, table.stale_after))
        # Together they turn at a moment, as a single broker does; all else that is asked of them lasts.
        lasts = table.together is not None and when is not None and "turned" not in when.names
        members = tuple(self._members(file, index, table.brokers or ()))
        return Rule(
            name=table.name,
            about=table.about,
            when=when,
            until=until,
            is_edge=is_state or lasts,
            codes=Names(table.codes or ()),
            brokers=Names(members),
            sides=frozenset(table.sides or SIDES),
            on=frozenset(table.on or (CHANGE,)),
            over_ms=table.over,
            polls=table.polls or 1,
            cooldown_ms=table.cooldown or 0,
            stale_after_ms=table.stale_after,
            text=table.text,
            fingerprint=_fingerprint(table, members),
        )

    def _condition(self, index: int, table: RuleTable, key: str) -> Expression | None:
        text: str | None = getattr(table, key)
        if text is None:
            return None
        try:
            types = vocabulary(table.about, has_window=table.over is not None).types
            return self.language.scope(types).compile(text)
        except ExpressionError as error:
            raise self._fault(self._line(index, key), f"{table.name}: {key}: {error}") from error

    def _members(self, file: FileTable, index: int, written: Iterable[str]) -> Iterable[str]:
        """Names and patterns, with `@group` as those of the group."""
        for name in written:
            if not name.startswith("@"):
                yield name
            elif name[1:] in file.groups:
                yield from file.groups[name[1:]]
            else:
                known = ", ".join(sorted(file.groups)) or "none"
                raise self._fault(self._line(index, "brokers"), f"there is no group {name[1:]!r}; there is {known}")

    def _check_names(self, table: str, names: Iterable[str]) -> None:
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                raise self._fault(self._line(index, "name", table), f"a second {table} is called {name!r}")
            seen.add(name)

    def _checked(self, kind: TypeAdapter[_T], written: object, line: Callable[[tuple[Any, ...]], int]) -> _T:
        try:
            return kind.validate_python(written)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            place = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
            raise self._fault(line(first["loc"]), _words(place, first)) from error

    def _line_in_file(self, location: tuple[Any, ...]) -> int:
        """Of a fault outside of the rules: a key of a table, the table, or a key before the first one."""
        table, key = (*map(str, location), "", "")[:2]
        return find_line(self.text, table, key=key) or find_line(self.text, "", key=table) or 1

    def _line_in(self, message: str) -> int:
        """The line that the TOML reader names; at the end of the text it names none."""
        found = re.search(r"at line (\d+)", message)
        return int(found[1]) if found else len(self.text.rstrip("\n").split("\n"))

    def _line(self, index: int, key: str | None, table: str = "rule") -> int:
        places = ((index, key), (index, None))
        found = next((line for place in places if (line := find_line(self.text, table, *place))), None)
        return found or find_line(self.text, "", key=table) or 1

    def _fault(self, line: int, reason: str) -> RuleFileError:
        return RuleFileError(plain(f"{self.name}:{line}: {reason}"))


def _fingerprint(table: RuleTable, members: Sequence[str]) -> str:
    looked_for = table.model_dump_json(exclude={"text", "cooldown"})
    return hashlib.sha256(f"{looked_for}{members}".encode(errors="surrogatepass")).hexdigest()[:16]


def _conflicts(table: RuleTable) -> Iterator[tuple[str, str]]:
    """What does not go together in a rule: the key to point at, and why."""
    together = table.together or ()
    if table.stale_after is not None:
        for key in ("when", "until", "over", "polls", "together", "brokers", "sides", "on"):
            if getattr(table, key) is not None:
                yield key, f"{key} does not go with stale_after, which is about a code that nobody looks at"
    elif table.when is None:
        yield "name", "nothing says when: give it a condition, as when = \"'flipped' in kinds\""
    if together and table.sides is not None:
        yield "sides", "sides does not go with together: ask for buyers, sellers or side in the condition"
    if table.polls is not None and "codes" in together:
        yield "polls", "polls does not go with codes taken together: each is polled at its own times"
    if table.polls is not None and CHANGE not in (table.on or (CHANGE,)):
        yield "polls", "polls counts changes in a row: the rule has to be on them"
    if table.on is not None and "codes" in together:
        yield "on", "on does not go with codes taken together: only changes count there"
    if "brokers" in together and table.brokers is None:
        yield "together", "which brokers together? Name them in brokers"


def _words(place: str, error: Mapping[str, Any]) -> str:
    """A fault of a value in words."""
    match error["type"]:
        case "extra_forbidden":
            return f"there is no key {place!r}"
        case "missing":
            return f"{place} is missing"
        case "value_error":
            return f"{place}: {error['msg'].removeprefix('Value error, ')}".removeprefix(": ")
        case "list_type" if place in ("rule", "sink"):
            return f"write [[{place}]]: there may be several"
        case _:
            return f"{place}: {error['msg'][:1].lower()}{error['msg'][1:]}"
