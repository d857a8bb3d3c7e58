"""What a worker counts besides what every worker does: plain values, which `metrics` shows to Prometheus."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A counter.

    Attributes:
        name: As Prometheus knows it, without `_total`; every figure of one name has the same labels.
        text: What it counts.
        labels: What tells it apart from others of its name.
        value: So many, which only rises.
    """

    name: str
    text: str
    labels: Mapping[str, str]
    value: int


Figures = Callable[[], Iterable[Figure]]


def no_figures() -> Iterable[Figure]:
    """None."""
    return ()
