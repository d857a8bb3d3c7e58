"""Why codes are polled, for people and for programs."""

import io
from typing import Any

from rich.console import Console, Group

from brokertape.cli.why_table import LEGEND, why_data, why_view
from brokertape.publisher.schedule import Reason
from brokertape.publisher.why import CodeWhy, Why


def code(name: str, index: float | None, **what: Any) -> CodeWhy:
    """A code as its schedule sees it."""
    usual: dict[str, Any] = {
        "weight": 1.0,
        "age_s": 12.4,
        "changes_per_h": 36.0,
        "trades_waiting": None,
        "reason": "index",
        "is_in_flight": False,
        "failures": 0,
        "is_halted": False,
    }
    return CodeWhy(code=name, index=index, **(usual | what))


def shown(*whys: Why, publishers: tuple[str, ...] = ("p1",)) -> list[str]:
    """The lines on a terminal."""
    console = Console(width=120, file=io.StringIO())
    with console.capture() as printed:
        console.print(Group(*why_view(whys, publishers)))
    return [" ".join(line.split()) for line in printed.get().splitlines() if line.strip()]


def why(publisher: str, *codes: CodeWhy) -> Why:
    """What a publisher tells."""
    return Why(publisher=publisher, told_at=1_778_205_600_000, lag_s=3.25, codes=codes)


def test_the_legend_names_every_reason() -> None:
    """In the words that the table uses."""
    assert [reason for reason in Reason if f"{reason}: " not in LEGEND] == []


def test_all_codes_by_index() -> None:
    """The highest first, over all publishers; who asks each, and how late each publisher expects the lists."""
    lines = shown(
        why("p1", code("HK.00005", 4.0, trades_waiting=2, weight=2.5), code("HK.00700", 900.0, failures=3)),
        why("p2", code("HK.00001", None, age_s=None, reason=None), code("HK.00002", 5.0, is_halted=True)),
        publishers=("p1", "p2", "p3"),
    )
    assert lines[2:9] == [
        "HK.00001 first 36 never – 1 p2",
        "HK.00700 900 36 12 s – 1 index 3 failed p1",
        "HK.00002 5 36 12 s – 1 index halted p2",
        "HK.00005 4 36 12 s 2 2.5 index p1",
        "p1: the lists are expected to show a trade 3.2 s after it",
        "p2: the lists are expected to show a trade 3.2 s after it",
        "p3 does not tell why",
    ]


def test_what_came_over_redis_steers_no_terminal() -> None:
    """Nor does a number without an end end the command."""
    text = "\n".join(shown(why("p\x1b1", code("HK.\x1b[2J", 1e308, age_s=1e308, reason="a\x07"))))
    assert "\x1b[2J" not in text
    assert "\x07" not in text


def test_data_for_programs() -> None:
    """The same, a publisher each."""
    (told,) = why_data([why("p1", code("HK.00005", 4.0), code("HK.00700", 900.0))])
    assert (told["publisher"], told["lag_s"], told["told_at"]) == ("p1", 3.25, 1_778_205_600_000)
    assert [(one["code"], one["index"]) for one in told["codes"]] == [("HK.00700", 900.0), ("HK.00005", 4.0)]
