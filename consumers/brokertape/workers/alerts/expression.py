"""The port to the language of conditions: small, so that the engine behind it can be changed.

An expression sees flat variables, each of a fixed type. One that is absent is left out: what needs it has no answer,
which is not the same as false.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

Value = bool | int | float | str | Sequence[str]
Values = Mapping[str, Value]
Facts = Any
"""What a scope has bound, for any number of expressions: that costs more than to evaluate one. Or values as they are,
a `dict`, for an expression or two: then binding apart would cost more than it saves."""


class FieldType(Enum):
    """The types of variables, by the language's names for them."""

    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    STRING = "string"
    STRINGS = "list(string)"


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why an expression is neither true nor false: a value is absent, or cannot be worked with."""

    reason: str


class Expression(Protocol):
    """A condition, checked when it was made."""

    @property
    def text(self) -> str:
        """As it was written."""

    @property
    def names(self) -> frozenset[str]:
        """The variables that it reads."""

    def evaluate(self, facts: Facts) -> bool | NoAnswer:
        """Whether it holds. Raises nothing."""


class Scope(Protocol):
    """Variables, each of its type: what expressions are written over."""

    def compile(self, text: str) -> Expression:
        """The expression `text`.

        Raises:
            ExpressionError: It cannot be meant, or gives something else than true or false.
        """

    def bind(self, values: Values) -> Facts:
        """Values of the variables, absent ones left out."""


class Language(Protocol):
    """What expressions are written in."""

    def scope(self, types: Mapping[str, FieldType]) -> Scope:
        """Variables of these types; the same ones are one scope."""
