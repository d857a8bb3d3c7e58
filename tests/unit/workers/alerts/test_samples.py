"""The sample rules: for each a day on which it fires, by exact event ids, and a near miss on which it does not."""

from collections.abc import Callable, Iterable

import pytest

from brokertape.tape.events import TapeEvent
from brokertape.workers.alerts.samples import sample_rules
from support.alerting import Judged
from support.scripted_day import ScriptedDay

GS, UBS, HSBC = "Goldman Sachs", "UBS", "HSBC"
US = (GS, "Morgan Stanley", "JP Morgan", "Citi", "BofA")
Story = Callable[[], tuple[Iterable[TapeEvent], list[tuple[str, str]]]]
"""The events of a day, and what its rule says of them: broker, event id."""


def goldman_turns_seller(sold: int) -> Story:
    """A buyer that leaves the list and comes back; with what it sold as a seller, or as a buyer."""

    def story() -> tuple[list[TapeEvent], list[tuple[str, str]]]:
        day = ScriptedDay().trade(GS, buy=1000).trade(HSBC, buy=500)
        events = [day.baseline(), day.trade(GS, sell=1000).poll()]
        events.append(day.trade(GS, sell=sold, buy=600).poll())
        return events, [(GS, events[2].id)] if sold > 600 else []

    return story


def heavy_selling(pace_s: float) -> Story:
    """Five times 100,000 shares, so many seconds apart."""

    def story() -> tuple[list[TapeEvent], list[tuple[str, str]]]:
        day = ScriptedDay().trade(UBS, sell=1000)
        events = [day.baseline(), *(day.trade(UBS, sell=100_000, buy=50).poll(pace_s) for _ in range(6))]
        return events, [(UBS, events[5].id)] if pace_s <= 60 else []

    return story


def large_interval(bought: int) -> Story:
    """HKD 60 million sold at once; beside it so much bought."""

    def story() -> tuple[list[TapeEvent], list[tuple[str, str]]]:
        day = ScriptedDay().trade(UBS, sell=1000)
        events = [day.baseline(), day.trade(UBS, sell=120_000, buy=bought, price=500).poll()]
        return events, [(UBS, events[1].id)] if bought <= 30_000 else []

    return story


def new_top_buyer(bought: int) -> Story:
    """The second buyer buys so much; the first had 1000 more."""

    def story() -> tuple[list[TapeEvent], list[tuple[str, str]]]:
        day = ScriptedDay().trade(UBS, buy=2000).trade(GS, buy=1000)
        events = [day.baseline(), day.trade(GS, buy=bought).poll(), day.trade(GS, buy=1).poll()]
        return events, [(GS, events[1].id)] if bought > 1000 else []

    return story


def straight_to_the_top(shares: int) -> Story:
    """A broker enters as the third seller, with so many shares."""

    def story() -> tuple[list[TapeEvent], list[tuple[str, str]]]:
        day = ScriptedDay().trade(UBS, sell=300_000).trade(GS, sell=200_000).trade(HSBC, sell=50_000)
        events = [day.baseline(), day.trade("Citi", sell=shares).poll()]
        return events, [("Citi", events[1].id)] if shares >= 100_000 else []

    return story


def quiet_accumulation(sold: int) -> Story:
    """A million shares bought in ten looks; in one of them so many sold."""

    def story() -> tuple[list[TapeEvent], list[tuple[str, str]]]:
        day = ScriptedDay().trade(UBS, buy=1000)
        events = [day.baseline()]
        events += [day.trade(UBS, buy=100_000, sell=sold * (number == 4)).poll(120) for number in range(10)]
        return events, [(UBS, events[10].id)] if not sold else []

    return story


def lasting_top_seller(looks: int) -> Story:
    """The first seller stays the first while another trades, for so many looks."""

    def story() -> tuple[list[TapeEvent], list[tuple[str, str]]]:
        day = ScriptedDay().trade(UBS, sell=1000).trade(GS, sell=10)
        events = [day.baseline(), *(day.trade(GS, sell=1).poll() for _ in range(looks))]
        return events, [(UBS, events[5].id)] if looks >= 5 else []

    return story


def us_houses_turn(hidden: bool) -> Story:
    """From buyers to sellers; with full lists one of them may hold anything that does not show."""

    def story() -> tuple[list[TapeEvent], list[tuple[str, str]]]:
        day = ScriptedDay()
        for name in US:
            day.trade(name, buy=1000)
        for number in range(10 * hidden):
            day.trade(f"B{number}", buy=5000).trade(f"S{number}", sell=5000)
        events = [day.trade(GS, buy=50_000).baseline()]
        events.append(day.trade(GS, sell=60_000).poll())
        return events, [("", events[1].id)] if not hidden else []

    return story


def us_houses_sell(sellers: int) -> Story:
    """So many of them sell, one after the other."""

    def story() -> tuple[list[TapeEvent], list[tuple[str, str]]]:
        day = ScriptedDay().trade(HSBC, buy=1)
        events = [day.baseline(), *(day.trade(name, sell=1000).poll() for name in US[:sellers])]
        return events, [("", events[4].id)] if sellers >= 4 else []

    return story


def sells_the_basket(codes: tuple[str, ...]) -> Story:
    """UBS sells in these."""

    def story() -> tuple[list[TapeEvent], list[tuple[str, str]]]:
        days = [ScriptedDay(code).trade(HSBC, buy=1) for code in codes]
        events = [day.baseline() for day in days]
        events += [day.trade(UBS, sell=100).poll(20 + number) for number, day in enumerate(days)]
        return events, [(UBS, events[-1].id)] if codes[-1] == "HK.03690" else []

    return story


def restated(is_correction: bool) -> Story:
    """The list is stated anew, by a correction or by a baseline."""

    def story() -> tuple[list[TapeEvent], list[tuple[str, str]]]:
        day = ScriptedDay().trade(UBS, buy=1000).trade(GS, buy=500)
        events = [day.baseline()]
        day.trade(UBS, sell=100)
        events.append(day.correction() if is_correction else day.baseline())
        return events, [(UBS, events[1].id)] if is_correction else []

    return story


def not_seen(gap_s: float, is_lunch: bool) -> Story:
    """One code is not looked at for so long, while another is, or none is."""

    def story() -> tuple[list[TapeEvent], list[tuple[str, str]]]:
        silent, lively = ScriptedDay().trade(UBS, buy=1), ScriptedDay("HK.00005").trade(UBS, buy=1)
        events = [silent.baseline(), lively.baseline()]
        while lively.now < silent.now + gap_s * 1000:
            events.append(lively.trade(UBS, buy=1).poll(gap_s if is_lunch else 10))
        return events, [] if is_lunch else [("", events[0].id)]

    return story


STORIES: dict[str, tuple[Story, Story]] = {
    "goldman-turns-seller": (goldman_turns_seller(sold=700), goldman_turns_seller(sold=500)),
    "heavy-selling": (heavy_selling(pace_s=60), heavy_selling(pace_s=61)),
    "large-interval": (large_interval(bought=30_000), large_interval(bought=30_001)),
    "new-top-buyer": (new_top_buyer(bought=1001), new_top_buyer(bought=999)),
    "straight-to-the-top": (straight_to_the_top(shares=100_000), straight_to_the_top(shares=99_900)),
    "quiet-accumulation": (quiet_accumulation(sold=0), quiet_accumulation(sold=100)),
    "lasting-top-seller": (lasting_top_seller(looks=6), lasting_top_seller(looks=4)),
    "us-houses-turn": (us_houses_turn(hidden=False), us_houses_turn(hidden=True)),
    "us-houses-sell": (us_houses_sell(sellers=5), us_houses_sell(sellers=3)),
    "sells-the-basket": (
        sells_the_basket(("HK.00700", "HK.01810", "HK.03690")),
        sells_the_basket(("HK.00700", "HK.01810", "HK.00388")),
    ),
    "restated": (restated(is_correction=True), restated(is_correction=False)),
    "not-seen": (not_seen(gap_s=140, is_lunch=False), not_seen(gap_s=3600, is_lunch=True)),
}


def test_every_sample_has_its_stories() -> None:
    """Twelve of them."""
    assert [rule.name for rule in sample_rules().rules] == list(STORIES)
    assert len(STORIES) == 12


@pytest.mark.parametrize("name", STORIES)
def test_it_fires_on_its_day_and_not_on_the_near_miss(name: str) -> None:
    """Exactly where it should."""
    for number, story in enumerate(STORIES[name]):
        events, expected = story()
        fired = Judged(sample_rules()).rules_that_fire(events)
        assert [(broker, event_id) for rule, broker, event_id in fired if rule == name] == expected
        assert bool(expected) == (number == 0), "the second story is one of a near miss"
