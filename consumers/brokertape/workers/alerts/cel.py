"""Conditions in CEL (https://cel.dev), by the C++ engine that the CEL project wraps. Needs the extra `alerts`.

CEL compares no integer with a floating-point number. A number that is written out is taken in either form: where the
checker refuses `flow.turnover > 1000000`, the number is written as `1000000.0` and checked again.
"""

import re
from collections.abc import Iterator, Mapping

from cel_expr_python import cel

from brokertape.workers.alerts.errors import ExpressionError
from brokertape.workers.alerts.expression import Facts, FieldType, NoAnswer, Values

MAX_LENGTH = 2_000  # characters; the engine bounds nesting and the work of one evaluation by itself
MAX_ATTEMPTS = 32  # forms of the numbers in one expression that are tried

_TYPES = {
    FieldType.BOOL: cel.Type.BOOL,
    FieldType.INT: cel.Type.INT,
    FieldType.DOUBLE: cel.Type.DOUBLE,
    FieldType.STRING: cel.Type.STRING,
    FieldType.STRINGS: cel.Type.List(cel.Type.STRING),
}
_TOKEN = re.compile(
    r"""(?P<string>[rRbB]{0,2}(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))
      | (?P<number>(?<![\w.])\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?!\w))
      | (?P<name>(?<!\w)[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*)
      | (?P<comment>//[^\n]*)""",
    re.VERBOSE | re.DOTALL,
)
# What the checker says: line and column, and the first of its sentences.
_FAULT = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_MISMATCH = re.compile(r"found no matching overload for '_(\S+)_' applied to '\((int|double), (int|double)\)'")
_MEANINGS = tuple(
    (re.compile(pattern), meaning)
    for pattern, meaning in (
        (_MISMATCH.pattern, r"`\1` stands between \2 and \3: put the integer into double(…), or round the number"),
        (r"found no matching overload for '_?(.+?)_?' applied to '\(?(.*?)\)?'", r"`\1` does not go with (\2)"),
        (r"undeclared reference to '([^']+)'", r"there is no field or function `\1`"),
        (r"token recognition error at: '='|token recognition error at: '= '", "`=` is no operator, write `==`,"),
        (r"mismatched input '<EOF>'", "something is missing"),
        (r"^(.*?),? expecting \{.*", r"\1"),
    )
)
_ABSENT = re.compile(r'No value with name "([^"]+)"')


class CelExpression:
    """A compiled condition."""

    def __init__(self, text: str, names: frozenset[str], program: cel.Expression) -> None:
        self.text = text
        self.names = names
        self._program = program

    def __repr__(self) -> str:
        return f"CelExpression({self.text!r})"

    def evaluate(self, facts: Facts) -> bool | NoAnswer:
        """Whether it holds."""
        try:
            program = self._program
            found = (program.eval(data=facts) if type(facts) is dict else program.eval(facts)).value()
        except RuntimeError as error:  # the engine's bound on the work of one evaluation
            return NoAnswer(_reason(str(error)))
        return found if found is True or found is False else NoAnswer(_reason(str(found)))


class CelScope:
    """Variables, and the engine's environment for them."""

    def __init__(self, types: Mapping[str, FieldType]) -> None:
        self._types = types
        self._environment = cel.NewEnv(variables={name: _TYPES[kind] for name, kind in types.items()})

    def compile(self, text: str) -> CelExpression:
        """The condition `text`; see `Scope`."""
        if len(text) > MAX_LENGTH:
            raise ExpressionError(f"{len(text)} characters: {MAX_LENGTH} at most")
        program = _checked(self._environment, text)
        if program.return_type() != cel.Type.BOOL:
            raise ExpressionError(f"gives {program.return_type().name().lower()}, not true or false: compare it")
        return CelExpression(text, _names(text, self._types), program)

    def bind(self, values: Values) -> Facts:
        """Values for evaluation: each one costs about a microsecond, so only what is read."""
        return self._environment.Activation(values)


class Cel:
    """The language."""

    def __init__(self) -> None:
        self._scopes: dict[frozenset[tuple[str, FieldType]], CelScope] = {}

    def scope(self, types: Mapping[str, FieldType]) -> CelScope:
        """Variables of these types."""
        key = frozenset(types.items())
        if key not in self._scopes:
            self._scopes[key] = CelScope(types)
        return self._scopes[key]


def _reason(words: str) -> str:
    """Why there is no answer: the engine tells most errors as values, which show as `<class>: <words>`."""
    absent = _ABSENT.search(words)
    if absent is not None:
        return f"{absent[1]} is absent"
    return (words.partition(": ")[2] or words).partition(" [")[0]


def _names(text: str, types: Mapping[str, FieldType]) -> frozenset[str]:
    """The variables in `text`; of `kinds.exists` the `kinds`."""
    found = ["".join(token["name"].split()) for token in _TOKEN.finditer(text) if token["name"]]
    return frozenset(name for written in found for name in (written, written.partition(".")[0]) if name in types)


def _checked(environment: cel.Env, text: str) -> cel.Expression:
    """Compile `text`; if need be with numbers in the form that the checker asks for, of several ways the first."""
    faults: list[str] = []
    tried: list[str] = [text]
    for attempt in tried:  # grows meanwhile
        try:
            return environment.compile(attempt)
        except RuntimeError as error:
            fault = _FAULT.search(str(error))
            if fault is None:
                raise ExpressionError(str(error)) from error
            if not _MISMATCH.search(fault[3]):  # no form of a number mends that
                raise ExpressionError(_said(attempt, fault)) from error
            faults.append(_said(attempt, fault))
            tried += [other for other in _mended(attempt, fault) if other not in tried][: MAX_ATTEMPTS - len(tried)]
    raise ExpressionError(faults[0])


def _mended(text: str, fault: re.Match[str]) -> Iterator[str]:
    """`text` with a number beside the operator that the checker points at in its other form."""
    mismatch = _MISMATCH.search(fault[3])
    if mismatch is None:
        return
    operator = _offset(text, int(fault[1]), int(fault[2]))
    behind = operator + len(mismatch[1])
    right = behind + len(text[behind:]) - len(text[behind:].lstrip(" \t\n(-"))
    left = len(text[:operator].rstrip(" \t\n)"))
    for token in _TOKEN.finditer(text):
        if token["number"] and (token.start() == right or token.end() == left):
            other = _other_form(token["number"])
            if other is not None:
                yield text[: token.start()] + other + text[token.end() :]


def _offset(text: str, line: int, column: int) -> int:
    return sum(len(one) + 1 for one in text.split("\n")[: line - 1]) + column - 1


def _other_form(number: str) -> str | None:
    """`5` for `5.0` and the other way round; None for 5.5, which no integer is."""
    if number.isdigit():
        return f"{number}.0"
    value = float(number)
    return str(int(value)) if value.is_integer() else None


def _said(text: str, fault: re.Match[str]) -> str:
    """What the checker says, in words for whoever wrote the rule."""
    line, column, words = int(fault[1]), int(fault[2]), fault[3].removeprefix("Syntax error: ")
    here = text.split("\n")[line - 1][max(0, column - 1) :][:20].strip()
    for pattern, meaning in _MEANINGS:
        if (found := pattern.search(words)) is not None:
            words = found.expand(meaning)
            break
    return f"{words} at {here!r}" if here else f"{words} at its end"
