"""The file of rules."""

from pathlib import Path

import pytest

from brokertape.workers.alerts.errors import RuleFileError
from brokertape.workers.alerts.rule_file import MAX_BYTES, load_rules, parse_rules
from brokertape.workers.alerts.rules import About

GOOD = """
[groups]
us = ["Goldman Sachs", "Morgan*"]

[names]
"HK.00700" = "Tencent"

[[rule]]
name = "a"
text = "for whom it may concern"
codes = ["HK.00700", "HK.0098*"]
brokers = ["UBS", "@us"]
sides = ["sell"]
when = "sold >= 500000"
until = "sold < 100000"
over = "1h30m"
cooldown = "90s"
on = ["change", "correction"]

[[rule]]
name = "b"
together = ["brokers", "codes"]
brokers = ["UBS", "Citi"]
when = "codes_selling >= 2"

[[rule]]
name = "c"
stale_after = "2m"
"""


def test_a_rule_is_what_is_written() -> None:
    """Scope, condition, times, groups taken apart."""
    rules = parse_rules(GOOD)
    first, second, third = rules.rules
    assert (first.about, first.over_ms, first.cooldown_ms, first.is_edge) == (About.BROKER, 5_400_000, 90_000, True)
    assert first.when is not None
    assert first.when.names == {"sold"}
    assert [name in first.brokers for name in ("UBS", "Goldman Sachs", "Morgan Stanley", "HSBC")] == [True] * 3 + [
        False
    ]
    assert [code in first.codes for code in ("HK.00700", "HK.00981", "HK.00005")] == [True, True, False]
    assert (set(first.sides), set(first.on)) == ({"sell"}, {"change", "correction"})
    assert (second.about, third.about, third.stale_after_ms) == (About.BASKET_TOGETHER, About.FRESHNESS, 120_000)
    assert rules.code_names == {"HK.00700": "Tencent"}
    assert rules.of_code("HK.00005") == (second, third)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "rules:1: there is no [[rule]] in it"),
        ("[[rule]\n", "rules:1: "),
        ("x = 1", "rules:1: there is no key 'x'"),
        ('[[rule]]\nname = "a"\n\nwhen = "nope > 1"', "rules:4: a: when: there is no field or function `nope`"),
        (
            '[[rule]]\nname = "a"\nwhen = "true"\n[[rule]]\nname = "b"\nwhen = """\nnet_vol"""',
            "rules:6: b: when: gives int",
        ),
        ('[[rule]]\nname = "a"\nwhen = "sold > 1"', "rules:3: a: when: there is no field or function `sold`"),
        (
            '[[rule]]\nname = "a"',
            "rules:2: a: nothing says when: give it a condition, as when = \"'flipped' in kinds\"",
        ),
        ('[[rule]]\nwhen = "true"', "rules:1: name is missing"),
        ('[[rule]]\nname = "A b"\nwhen = "true"', "rules:2: name: string should match pattern"),
        ('[[rule]]\nname = "a"\nwhen = "true"\nwen = "x"', "rules:4: there is no key 'wen'"),
        ('[[rule]]\nname = "a"\nwhen = "true"\nover = "5 minutes"', "rules:4: over: write a time as 90s, 5m or 1h30m"),
        ('[[rule]]\nname = "a"\nwhen = "true"\nover = ""', "rules:4: over: write a time as 90s, 5m or 1h30m"),
        (
            '[[rule]]\nname = "a"\nwhen = "true"\nover = "0s"',
            "rules:4: over: use more than nothing",
        ),
        ('[[rule]]\nname = "a"\nwhen = "true"\ncodes = ["700"]', "rules:4: codes: '700' is not a code"),
        ('[[rule]]\nname = "a"\nwhen = "true"\nbrokers = ["@us"]', "rules:4: there is no group 'us'; there is none"),
        ('[[rule]]\nname = "a"\nwhen = "true"\nsides = ["up"]', "rules:4: sides: input should be 'buy' or 'sell'"),
        (
            '[[rule]]\nname = "a"\nwhen = "true"\npolls = 1',
            "rules:4: polls: input should be greater than or equal to 2",
        ),
        ('[[rule]]\nname = "a"\nwhen = "true"\npolls = "3"', "rules:4: polls: input should be a valid integer"),
        ('[[rule]]\nname = "a"\nstale_after = "2m"\nwhen = "true"', "rules:4: a: when does not go with stale_after"),
        (
            '[[rule]]\nname = "a"\nwhen = "true"\ntogether = ["brokers"]',
            "rules:4: a: which brokers together? Name them in brokers",
        ),
        (
            '[[rule]]\nname = "a"\nwhen = "true"\ntogether = ["codes"]\npolls = 3',
            "rules:5: a: polls does not go with codes taken together",
        ),
        (
            '[[rule]]\nname = "a"\nwhen = "true"\n[[rule]]\nname = "a"\nwhen = "true"',
            "rules:5: a second rule is called 'a'",
        ),
        ('[groups]\nus = "x"\n[[rule]]\nname = "a"\nwhen = "true"', "rules:2: groups.us: input should be a valid list"),
        (
            '[[rule]]\nname = "a"\ntext = """\nover = 5\n[[rule]]\n"""\nwhen = "true"\nover = "x"',
            "rules:8: over: write a time as 90s",
        ),
        ("rule = 5", "rules:1: write [[rule]]: there may be several"),
        ('# """\n[rule]\nname = "a"', "rules:2: write [[rule]]: there may be several"),
        ('[names]\n"a\\nb" = 5', "rules:1: names.a�b: input should be a valid string"),
        ("x = [[[[" + "[" * 1000, "rules:1: "),
        ("x = 1" + "0" * 5000, "rules:1: "),
        ('[[rule]]\nname = "a"\nwhen = """\ntrue', "rules:4: "),
        (
            '[[rule]]\nname = "a"\nwhen = "true"\ncooldown = "25h"',
            "rules:4: cooldown: use more than",
        ),
        ('[groups]\na = ["@b"]\n[[rule]]\nname = "a"\nwhen = "true"', "rules:2: group 'a': a group holds names only"),
        (
            '[[rule]]\nname = "a"\nwhen = "true"\non = ["rollover"]\npolls = 2',
            "rules:5: a: polls counts changes in a row: the rule has to be on them",
        ),
        (
            '[[rule]]\nname = "a"\nwhen = "true"\ntogether = ["brokers", "codes"]\nbrokers = ["U*"]',
            "rules:5: a: brokers together across codes have to be spelt out",
        ),
    ],
)
def test_every_fault_is_told_with_its_line(text: str, fault: str) -> None:
    """And what to do about it, in one line."""
    with pytest.raises(RuleFileError) as error:
        parse_rules(text)
    assert str(error.value).startswith(fault)
    assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_read_is_a_fault_too(tmp_path: Path) -> None:
    """Missing, too large, not UTF-8."""
    path = tmp_path / "rules.toml"
    for content, reason in ((None, "No such file"), (b"#" * (MAX_BYTES + 1), "larger than"), (b"\xff", "not UTF-8")):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(RuleFileError, match=reason):
            load_rules(path)
    path.write_text(GOOD)
    assert len(load_rules(path).rules) == 3
