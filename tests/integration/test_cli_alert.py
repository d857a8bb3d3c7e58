"""`brokertape alert check`, `samples` and `try`."""

import json
from pathlib import Path

import pytest

from brokertape.tape.events import TapeEvent
from brokertape.workers.storage.database import open_database
from brokertape.workers.storage.storage import Storage
from support.commands import run_command
from support.scripted_day import ScriptedDay
from support.storages import deliveries

RULES = """
[names]
"HK.00700" = "Tencent"

[[rule]]
name = "sells"
when = "sold >= 3000"
over = "5m"

[[rule]]
name = "guess"
when = "flow.sell_vol > 100000"
"""


@pytest.fixture
async def stored(database_url: str) -> list[TapeEvent]:
    """A day in a database: Goldman Sachs sells 1000 shares a minute, after it was not listed."""
    day = ScriptedDay().trade("UBS", buy=500)
    events = [day.baseline(), *(day.trade("Goldman Sachs", sell=1000).poll(60) for _ in range(6))]
    async with open_database(database_url) as database:
        await Storage(database).handle(deliveries(events))
    return events


@pytest.fixture
def rules(tmp_path: Path) -> str:
    """A file of two rules."""
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return str(path)


def test_what_would_have_fired_is_told(stored: list[TapeEvent], database_url: str, rules: str, tmp_path: Path) -> None:
    """With its time, what happened, and a sum; nothing else on standard output or error."""
    stretch = ("--day", "2026-05-08", "--database", database_url)
    ended = run_command("alert", "try", rules, *stretch, cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "2026-05-08 10:04:00  HK.00700 Tencent · Goldman Sachs net -3,000 → -4,000 shares, seller #1, "
        "bought 0, sold 3,000 for HK$300.0k within 5m and more: 1 change unknown, in the 1m to 10:04:00 HKT [sells]",
        "1 alert on 7 events",
    ]


def test_it_is_explained_why_and_why_not(
    stored: list[TapeEvent], database_url: str, rules: str, tmp_path: Path
) -> None:
    """The values that the condition saw, the alert's id, and conditions that had no answer."""
    arguments = ("--from", "2026-05-08 10:00", "--to", "2026-05-08 11:00", "--explain", "--database", database_url)
    ended = run_command("alert", "try", rules, *arguments, cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert f"    {stored[4].id}/sells/c27b1107\n    sold = 3000\n" in ended.out
    assert "guess: 1 times no answer, so no match: flow.sell_vol is absent\n" in ended.out


def test_alerts_are_json_lines_for_programs(
    stored: list[TapeEvent], database_url: str, rules: str, tmp_path: Path
) -> None:
    """One each, and nothing else."""
    arguments = ("--day", "2026-05-08", "--json", "--rule", "sells", "--database", database_url)
    ended = run_command("alert", "try", rules, *arguments, cwd=tmp_path)
    [alert] = map(json.loads, ended.out.splitlines())
    assert (alert["event_id"], alert["rule"], alert["broker"]) == (stored[4].id, "sells", "Goldman Sachs")
    assert (alert["at"], alert["values"]) == (stored[4].data.observed_at, {"sold": 3000})


def test_what_happened_before_the_stretch_is_known_and_not_told(
    stored: list[TapeEvent], database_url: str, rules: str, tmp_path: Path
) -> None:
    """The rule has fired before it, so it does not fire within."""
    arguments = ("--from", "2026-05-08 10:05", "--to", "2026-05-08 11:00", "--database", database_url)
    ended = run_command("alert", "try", rules, *arguments, cwd=tmp_path)
    assert ended.out == "0 alerts on 2 events\n"


def test_what_cannot_be_tried_is_one_clear_line(tmp_path: Path, rules: str) -> None:
    """Rules, names, stretches and databases that are none."""
    (tmp_path / "bad.toml").write_text('[[rule]]\nname = "a"\nwhen = "sodl > 1"\n')
    day = ("--day", "2026-05-08")
    for arguments, line in (
        (("check", "bad.toml"), "bad.toml:3: a: when: there is no field or function `sodl` at 'sodl > 1'"),
        (("check", "none.toml"), "none.toml: No such file or directory"),
        (("try", "bad.toml", *day), "bad.toml:3: a: when:"),
        (("try", rules), "Say --day 2026-05-08, or --from and --to"),
        (("try", rules, *day, "--rule", "x"), "--rule x: there is none of that name; there are sells, guess"),
        (("try", rules, *day, "--database", "none.db"), "database none.db: No such file or directory"),
    ):
        assert line in run_command("alert", *arguments, cwd=tmp_path).complaint


def test_the_samples_are_sound(tmp_path: Path) -> None:
    """What is printed can be checked as it is."""
    (tmp_path / "rules.toml").write_text(run_command("alert", "samples", cwd=tmp_path).out)
    ended = run_command("alert", "check", "rules.toml", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith("rules.toml: 12 rules, all of them sound\n")
    heavy = ("A broker sells half a million shares within five minutes", "when sold >= 500000 over 5m", "fires once")
    assert "\n    ".join(("heavy-selling: a broker in a code", *heavy)) in ended.out
