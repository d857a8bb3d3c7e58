"""What fires, and when: events of scripted days in, alerts out."""

from msgspec.structs import replace

from brokertape.tape.events import TapeEvent
from brokertape.workers.alerts.state import CodeState
from support.alerting import Judged
from support.scripted_day import ScriptedDay

GS, UBS, HSBC = "Goldman Sachs", "UBS", "HSBC"


def rule(*lines: str, name: str = "r") -> str:
    """A file of one rule."""
    return "\n".join(["[[rule]]", f'name = "{name}"', *lines])


def a_day(**brokers: int) -> ScriptedDay:
    """A day on which brokers have traded so much, net, before the first look; HSBC is a small buyer."""
    day = ScriptedDay().trade(HSBC, buy=100)
    for name, net in brokers.items():
        day.trade({"gs": GS, "ubs": UBS}[name], buy=max(net, 0), sell=max(-net, 0))
    return day


def fired(judged: Judged, *events: TapeEvent) -> list[str]:
    """Ids of the events that fire."""
    return [alert.event_id for alert in judged.take(*events)]


def test_a_change_that_matches_fires_every_time() -> None:
    """Each one is a fact of its own, with an id made of event, rule and broker."""
    judged, day = Judged(rule("""when = "'net' in kinds" """, f'brokers = ["{GS}"]')), a_day(gs=500)
    assert judged.take(day.baseline()) == []
    first, second = (judged.take(day.trade(GS, buy=100).poll()) for _ in range(2))
    assert [alert.event_id for alert in (*first, *second)] == [f"HK.00700/{day.epoch}/{seq}" for seq in (2, 3)]
    assert first[0].id == f"HK.00700/{day.epoch}/2/r/c27b1107"
    assert first[0].values == {"kinds": ["net"]}
    assert (first[0].broker, first[0].since, first[0].at) == (GS, day.now - 40_000, day.now - 20_000)


def test_scope_is_codes_brokers_by_pattern_and_group_and_sides() -> None:
    """What lies outside of it is not judged."""
    text = """
[groups]
swiss = ["UBS*"]

[[rule]]
name = "r"
codes = ["HK.007*"]
brokers = ["@swiss", "Gold*"]
sides = ["sell"]
when = "true"
"""
    for code, expected in (("HK.00700", {UBS, GS}), ("HK.00005", set())):
        judged, day = Judged(text), ScriptedDay(code).trade(HSBC, sell=100)
        judged.take(day.baseline())
        event = day.trade(UBS, sell=300).trade(GS, sell=200).trade(HSBC, sell=50).trade("UBS 2", buy=100).poll()
        assert {alert.broker for alert in judged.take(event)} == expected


def test_a_rule_with_until_fires_once_and_again_after_it_has_ended() -> None:
    """Between the two lines it stays as it was."""
    judged = Judged(rule('when = "net_vol <= -1000"', 'until = "net_vol >= -500"'))
    day = a_day(gs=-900)
    fired(judged, day.baseline())
    assert fired(judged, day.trade(GS, sell=100).poll()) != []
    assert fired(judged, day.trade(GS, buy=300).poll(), day.trade(GS, sell=400).poll()) == []  # -700, -1100
    assert fired(judged, day.trade(GS, buy=700).poll()) == []  # -400: ended
    assert fired(judged, day.trade(GS, sell=700).poll()) != []


def test_a_state_that_begins_in_a_cooldown_is_told_after_it() -> None:
    """If it still holds: an operator wants to know."""
    judged = Judged(rule('when = "net_vol <= -1000"', 'until = "net_vol > -1000"', 'cooldown = "1m"'))
    day = a_day(gs=-900)
    fired(judged, day.baseline())
    assert fired(judged, day.trade(GS, sell=100).poll()) != []
    assert fired(judged, day.trade(GS, buy=100).poll(), day.trade(GS, sell=100).poll()) == []
    assert fired(judged, day.trade(GS, sell=100).poll()) != []
    assert fired(judged, day.trade(GS, sell=100).poll()) == []


def test_a_cooldown_is_silence_in_the_datas_time() -> None:
    """Per broker; what it suppresses is counted."""
    judged, day = Judged(rule("""when = "'net' in kinds" """, 'cooldown = "1m"')), a_day(gs=500, ubs=500)
    fired(judged, day.baseline())
    assert len(fired(judged, day.trade(GS, buy=1).poll(30))) == 1
    assert len(fired(judged, day.trade(GS, buy=1).trade(UBS, buy=1).poll(59))) == 1
    assert len(fired(judged, day.trade(GS, buy=1).poll(1))) == 1
    assert judged.engine.tallies["r"].cooling == 1


def test_an_absent_value_is_no_match_and_counted() -> None:
    """The reason is told; a rule that asks whether it is known has an answer."""
    judged, day = Judged(rule('when = "flow.net_vol > 0"')), a_day(gs=500)
    fired(judged, day.baseline())
    assert fired(judged, day.trade(UBS, buy=100).poll()) == []  # it enters: nobody knows what it traded
    assert dict(judged.engine.tallies["r"].no_answers) == {"flow.net_vol is absent": 1}
    judged, day = Judged(rule('when = "flow_known && flow.net_vol > 0"')), a_day(gs=500)
    fired(judged, day.baseline(), day.trade(UBS, buy=100).poll())
    assert dict(judged.engine.tallies["r"].no_answers) == {}


def test_a_window_sums_what_was_traded_within_it() -> None:
    """It fires when the sum gets there, once while it lasts; what is older drops out by the data's time."""
    judged, day = Judged(rule('over = "1m"', 'when = "sold >= 300"')), a_day(gs=-5000)
    fired(judged, day.baseline())
    assert fired(judged, day.trade(GS, sell=200).poll(20)) == []
    assert fired(judged, day.trade(GS, sell=100).poll(20)) != []
    assert fired(judged, day.trade(GS, sell=100).poll(20)) == []  # 400: it is known already
    assert fired(judged, day.trade(GS, sell=100).poll(20)) == []  # 300 within the last minute
    day.sleep(120).look()  # somebody looks: nothing was sold for two minutes, so it has ended
    assert fired(judged, day.trade(GS, sell=300).poll(20)) != []


def test_an_interval_that_began_before_the_window_counts_for_nothing() -> None:
    """Part of it was perhaps sold earlier: nobody can say that it was within the window."""
    judged, day = Judged(rule('over = "1m"', 'when = "sold >= 300"')), a_day(gs=-5000)
    fired(judged, day.baseline())
    assert fired(judged, day.trade(GS, sell=900).poll(61)) == []
    assert fired(judged, day.trade(GS, sell=300).poll(60)) != []


def test_sums_know_what_they_do_not_know() -> None:
    """A broker that enters has traded something, and no one knows how much."""
    judged, day = Judged(rule('over = "5m"', 'when = "net > 0 && unknown == 0"')), a_day(gs=500)
    fired(judged, day.baseline())
    assert fired(judged, day.trade(UBS, buy=100).poll(), day.trade(UBS, buy=100).poll()) == []
    assert fired(judged, day.trade(GS, buy=100).poll()) != []


def test_persistence_counts_events_that_find_it_so() -> None:
    """Also those that moved others only; one that does not begins again."""
    judged, day = Judged(rule("polls = 3", '''when = "side == 'buy' && rank == 1"''')), a_day(gs=500, ubs=100)
    fired(judged, day.baseline())
    assert fired(judged, *(day.trade(HSBC, buy=10).poll() for _ in range(2))) == []
    third = day.trade(HSBC, buy=10).poll()
    assert [(one.broker, one.event_id) for one in judged.take(third)] == [(GS, third.id)]
    assert fired(judged, day.trade(HSBC, buy=10).poll()) == []
    overtaken = [day.trade(UBS, buy=1000).poll(), day.trade(GS, buy=1000).poll()]
    assert fired(judged, *overtaken, *(day.trade(HSBC, buy=10).poll() for _ in range(1))) == []
    assert fired(judged, day.trade(HSBC, buy=10).poll()) != []


def test_persistence_off_the_list_counts_too() -> None:
    """A broker that is not listed is in no event."""
    judged, day = Judged(rule("polls = 2", 'when = "!is_listed"')), a_day(gs=500)
    fired(judged, day.baseline())
    assert fired(judged, day.trade(GS, sell=500).poll()) == []
    assert fired(judged, day.trade(HSBC, buy=10).poll()) != []


def test_a_turn_is_seen_over_an_absence_but_not_over_a_night() -> None:
    """A buyer that leaves and comes back as a seller has turned, on the same date."""
    judged, day = Judged(rule('''when = "turned && side == 'sell'"''')), a_day(gs=500)
    fired(judged, day.baseline())
    assert fired(judged, day.trade(GS, sell=500).poll()) == []
    assert fired(judged, day.trade(GS, sell=100).poll()) != []
    judged, day = Judged(rule('when = "turned"')), a_day(gs=500)
    fired(judged, day.baseline())
    day.traded.clear()
    assert fired(judged, day.trade(GS, sell=100).rollover("2026-05-11"), day.trade(HSBC, buy=1).poll()) == []


def test_nothing_fires_on_what_is_no_trading_unless_asked() -> None:
    """Rollover, correction, and a baseline in the middle of the day."""
    for on, expected in (("", []), ('on = ["correction"]', ["correction"])):
        judged, day = Judged(rule('when = "true"', f'brokers = ["{GS}"]', on)), a_day(gs=500)
        events = [day.baseline(), day.trade(GS, buy=1).correction(), day.trade(GS, buy=1).baseline()]
        day.trade(GS, buy=1)
        events.append(day.rollover("2026-05-11"))
        kinds = {event.id: event.kind for event in events}
        assert [kinds[event_id] for event_id in fired(judged, *events)] == expected


def test_a_correction_voids_the_sums_and_a_baseline_does_not() -> None:
    """After a correction the totals of before are known to be wrong."""
    for restated, expected in (("correction", 0), ("baseline", 1)):
        judged, day = Judged(rule('over = "5m"', 'when = "sold >= 300"')), a_day(gs=-5000)
        fired(judged, day.baseline(), day.trade(GS, sell=200).poll())
        fired(judged, getattr(day, restated)())
        assert len(fired(judged, day.trade(GS, sell=100).poll())) == expected


def test_brokers_together_are_counted_and_summed() -> None:
    """k of n on one side; what the list hides is kept in bounds."""
    text = rule('together = ["brokers"]', f'brokers = ["{GS}", "{UBS}", "Citi"]', 'when = "sellers >= 2"')
    judged, day = Judged(text), a_day(gs=500, ubs=-100)
    fired(judged, day.baseline())
    assert fired(judged, day.trade("Citi", buy=50).poll()) == []
    alerts = judged.take(day.trade(GS, sell=900).poll())
    assert [(alert.broker, alert.values) for alert in alerts] == [("", {"sellers": 2})]
    assert fired(judged, day.trade(GS, sell=100).poll()) == []


def test_together_they_turn_only_when_it_is_certain() -> None:
    """A member off the list could hold anything within the bounds: then nobody can say."""
    text = rule('together = ["brokers"]', f'brokers = ["{GS}", "{UBS}"]', 'when = "turned"')
    judged, day = Judged(text), ScriptedDay()
    for number in range(10):  # ten strong ones a side, so that who is not listed may hold up to ±1000
        day.trade(f"B{number}", buy=1000 + number).trade(f"S{number}", sell=1000 + number)
    fired(judged, day.trade(GS, buy=5000).trade(UBS, buy=2000).baseline())
    assert fired(judged, day.trade(GS, sell=4000).poll()) == []  # together surely buyers still: UBS 2000, GS hidden
    assert fired(judged, day.trade(UBS, sell=2500).poll()) == []  # both hidden: anything between -2000 and 2000
    assert fired(judged, day.trade(UBS, sell=4500).poll()) != []  # UBS -5000: whatever GS holds, sellers


def test_they_turn_every_time() -> None:
    """A turn is a moment, not a state: the next one fires again."""
    judged = Judged(rule('together = ["brokers"]', f'brokers = ["{GS}", "{UBS}"]', 'when = "turned"'))
    day = a_day(gs=500)
    fired(judged, day.baseline())
    events = [day.trade(GS, buy=1000 * (n % 2), sell=1000 * (1 - n % 2)).poll() for n in range(4)]
    assert fired(judged, *events) == [event.id for event in events]


def test_what_is_summed_together_ends_in_between_too() -> None:
    """One large trade every ten minutes, and looks that find nothing: each is told."""
    for scope in (f'brokers = ["{GS}"]', f'brokers = ["{GS}"]\ntogether = ["brokers"]', 'together = ["codes"]'):
        judged, day = Judged(rule('over = "1m"', 'when = "turnover >= 30000"', scope)), a_day(gs=500)
        fired(judged, day.baseline())
        for _ in range(3):
            assert fired(judged, day.trade(GS, buy=300).sleep(600).look().poll(20)) != []


def test_an_unknown_number_is_not_zero() -> None:
    """What is not known of one of them is not known of all."""
    brokers = f'brokers = ["{GS}", "{UBS}"]'
    judged, day = Judged(rule('together = ["brokers"]', brokers, 'when = "net_vol > 0"')), a_day(gs=500, ubs=-100)
    events = [day.baseline(), day.trade(HSBC, buy=100).poll()]
    hidden = tuple(replace(row, net_vol=None) if row.broker_name == UBS else row for row in day.rows)
    assert [judged.engine.take(event, hidden) for event in events] == [[], []]
    assert dict(judged.engine.tallies["r"].no_answers) == {"net_vol is absent": 1}


def test_a_basket_begins_every_day_anew() -> None:
    """What it was on yesterday counts no more, and fires again."""
    judged = Judged(rule('together = ["codes"]', 'when = "codes_selling >= 2"', 'until = "codes_selling < 1"'))
    days = [ScriptedDay(code).trade(GS, sell=500) for code in ("HK.00700", "HK.00701")]
    fired(judged, *(day.baseline() for day in days))
    assert len(fired(judged, *(day.trade(GS, sell=1).poll() for day in days))) == 1
    for day in days:
        day.traded.clear()
        fired(judged, day.trade(GS, sell=500).rollover("2026-05-11"))
    assert len(fired(judged, *(day.trade(GS, sell=1).poll() for day in days))) == 1


def test_two_that_leave_together_are_told_apart() -> None:
    """Nobody is given what another one's condition saw."""
    rules = [
        rule(
            "polls = 2", f"when = '!is_listed && broker == \"{name}\"'", f'brokers = ["{name}"]', name=name.lower()[:2]
        )
        for name in (GS, UBS)
    ]
    judged, day = Judged("\n".join(rules)), a_day(gs=500, ubs=400)
    fired(judged, day.baseline())
    events = [day.trade(GS, sell=500).trade(UBS, sell=400).poll(), day.trade(HSBC, buy=1).poll()]
    assert [(rule, broker) for rule, broker, _ in judged.rules_that_fire(events)] == [("go", GS), ("ub", UBS)]


def test_a_broker_across_codes() -> None:
    """It is on the selling side of so many codes; each has its own tape."""
    text = rule('together = ["codes"]', 'codes = ["HK.007*"]', 'when = "codes_selling >= 2"')
    judged = Judged(text)
    one, other, outside = (ScriptedDay(code).trade(GS, buy=500) for code in ("HK.00700", "HK.00701", "HK.00005"))
    fired(judged, *(day.baseline() for day in (one, other, outside)))
    assert fired(judged, one.trade(GS, sell=900).poll(), outside.trade(GS, sell=900).poll()) == []
    second = other.trade(GS, sell=900).poll()
    assert [(alert.broker, alert.event_id) for alert in judged.take(second)] == [(GS, second.id)]
    assert fired(judged, one.trade(GS, sell=1).poll()) == []


def test_sums_across_codes_are_in_hkd() -> None:
    """Shares of two codes do not add up; their value does."""
    text = rule('together = ["codes"]', 'over = "1m"', 'when = "net_value <= -1e6"')
    judged = Judged(text)
    one, other = (ScriptedDay(code).trade(GS, sell=10) for code in ("HK.00700", "HK.00701"))
    fired(judged, one.baseline(), other.baseline())
    assert fired(judged, one.trade(GS, sell=1000, price=600).poll()) == []
    assert fired(judged, other.trade(GS, sell=10_000, price=50).poll()) != []


def test_a_code_that_nobody_looks_at_is_told_once() -> None:
    """While others are looked at; looking again ends it."""
    judged = Judged(rule('stale_after = "2m"'))
    silent, lively = ScriptedDay(), ScriptedDay("HK.00005").trade(HSBC, buy=1)
    fired(judged, silent.trade(GS, buy=1).baseline(), lively.baseline())
    assert fired(judged, *(lively.trade(HSBC, buy=1).poll(20) for _ in range(6))) == []
    alerts = judged.take(lively.trade(HSBC, buy=1).poll(20), lively.trade(HSBC, buy=1).poll(20))
    assert [(alert.code, alert.event_id) for alert in alerts] == [("HK.00700", f"HK.00700/{silent.epoch}/1")]
    judged.engine.see("HK.00700", lively.now)
    assert fired(judged, *(lively.trade(HSBC, buy=1).poll(20) for _ in range(6))) == []
    assert fired(judged, lively.trade(HSBC, buy=1).poll(20)) != []


def test_a_code_of_which_nothing_is_known_is_not_told() -> None:
    """An event of it came without the list it belongs to: it was never seen, and cannot have grown old."""
    judged, lively = Judged(rule('stale_after = "2m"')), ScriptedDay("HK.00005").trade(HSBC, buy=1)
    judged.engine.memory.codes["HK.00700"] = CodeState()
    fired(judged, lively.baseline())
    assert fired(judged, *(lively.trade(HSBC, buy=1).poll(20) for _ in range(20))) == []


def test_a_time_in_which_nobody_is_looked_at_makes_no_code_stale() -> None:
    """Lunch, a night, a gateway that is away: nobody missed anything that another got."""
    judged = Judged(rule('stale_after = "2m"'))
    days = [ScriptedDay(f"HK.0000{number}").trade(HSBC, buy=1) for number in range(4)]
    fired(judged, *(day.baseline() for day in days))
    assert fired(judged, *(day.trade(HSBC, buy=1).poll(3600 + number) for number, day in enumerate(days))) == []


def test_a_new_date_begins_with_nothing_but_cooldowns() -> None:
    """What was on fires again; a cooldown over the night does not."""
    for cooldown, expected in (("", 1), ('cooldown = "1d"', 0), ('cooldown = "1h"', 1)):
        judged = Judged(rule('when = "net_vol <= -100"', 'until = "net_vol > 0"', cooldown, f'brokers = ["{GS}"]'))
        day = ScriptedDay("HK.00700", "2026-05-07").trade(GS, sell=50)
        fired(judged, day.baseline())
        assert len(fired(judged, day.trade(GS, sell=100).poll())) == 1
        day.traded.clear()
        fired(judged, day.trade(GS, sell=50).rollover("2026-05-08"))
        assert len(fired(judged, day.trade(GS, sell=100).poll())) == expected


def test_two_brokers_of_one_name_do_not_turn() -> None:
    """Nobody can tell which of them is on which side, for the rest of the day."""
    judged, day = Judged(rule('when = "turned"')), a_day(gs=500)
    fired(judged, day.trade(f"{GS}#2", sell=500).baseline())
    assert fired(judged, day.trade(GS, sell=900).poll(), day.trade(f"{GS}#2", buy=900).poll()) == []
    judged, day = Judged(rule('when = "turned"')), a_day(gs=-500)
    fired(judged, day.baseline())
    assert fired(judged, day.trade(f"{GS}#2", buy=300).poll()) == []  # in the very event in which the second one comes


def test_two_brokers_of_one_name_are_counted_apart() -> None:
    """Each has an id of its own, and what one does is not held against the other."""
    judged, day = Judged(rule("polls = 3", """when = "side == 'buy'" """, f'brokers = ["{GS}"]')), a_day(gs=500)
    fired(judged, day.trade(f"{GS}#2", buy=300).baseline())
    assert fired(judged, *(day.trade(UBS, buy=100).poll() for _ in range(2))) == []
    alerts = judged.take(day.trade(UBS, buy=100).poll())
    assert [alert.broker for alert in alerts] == [GS, GS]
    assert len({alert.id for alert in alerts}) == 2


def test_a_turn_is_not_seen_over_what_restates_the_list() -> None:
    """A buyer of yesterday, or of before a correction, that enters as a seller has not been seen to turn."""
    for is_new_date in (True, False):
        judged, day = Judged(rule('when = "turned"')), a_day(gs=500)
        fired(judged, day.baseline())
        del day.traded[GS]
        restated = day.rollover("2026-05-11") if is_new_date else day.correction()
        assert fired(judged, restated, day.trade(GS, sell=100).poll()) == []


def test_a_correction_voids_the_sums_across_codes_too() -> None:
    """Of the code that it restates."""
    judged = Judged(rule('together = ["codes"]', 'over = "5m"', 'when = "sold >= 300"'))
    day = a_day(gs=-5000)
    fired(judged, day.baseline(), day.trade(GS, sell=200).poll(), day.correction())
    assert fired(judged, day.trade(GS, sell=100).poll()) == []
    assert fired(judged, day.trade(GS, sell=200).poll()) != []


def test_of_a_shared_name_nothing_is_certain() -> None:
    """Neither the side of those it belongs to, nor that it traded nothing."""
    together = rule('together = ["brokers"]', f'brokers = ["{GS}"]', """when = "side == 'buy'" """)
    still = rule("polls = 2", 'when = "flow_known"', f'brokers = ["{GS}"]', name="s")
    for is_shared, expected in ((False, 2), (True, 0)):
        judged, day = Judged(f"{together}\n{still}"), a_day(gs=500)
        if is_shared:
            day.trade(f"{GS}#2", buy=300)
        events = [day.baseline(), *(day.trade(HSBC, buy=10).poll() for _ in range(2))]
        assert len(fired(judged, *events)) == expected
