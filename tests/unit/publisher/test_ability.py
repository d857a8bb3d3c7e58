"""Whether a publisher can poll: troubles count once they last."""

from itertools import groupby

from brokertape.publisher.ability import LEAST_FAILURES, Ability


def able(now: float = 0.0) -> Ability:
    """One that could poll until a moment."""
    ability = Ability(patience_s=9.0)
    ability.looked(True, now)
    return ability


def test_it_begins_as_unable() -> None:
    """Until it could poll for the first time."""
    ability = Ability(9.0)
    ability.looked(False, 0.0)
    assert (ability.is_able(0.0), ability.has_begun) == (False, False)
    ability.looked(True, 1.0)
    assert (ability.is_able(1.0), ability.has_begun) == (True, True)


def test_a_short_loss_is_none() -> None:
    """A long one is, until it is over."""
    ability = able()
    for now, expected in ((3.0, True), (9.0, True), (9.1, False), (60.0, False)):
        ability.looked(False, now)
        assert ability.is_able(now) is expected
    ability.looked(True, 61.0)
    assert ability.is_able(61.0)


def test_a_gateway_with_nothing_but_failures_is_of_no_use() -> None:
    """After a lease of them; one good answer, and it is again."""
    ability = able()
    for now in range(20):
        ability.looked(True, now)
        ability.answered(False, now)
        assert ability.is_able(now) is (now <= 9)
    ability.answered(True, 20)
    assert ability.is_able(20)


def test_a_few_failures_are_their_codes_own() -> None:
    """However long they lie back."""
    ability = able()
    for now in range(LEAST_FAILURES - 1):
        ability.answered(False, now)
    ability.looked(True, 100.0)
    assert ability.is_able(100.0)


def test_it_is_tried_again_after_a_while() -> None:
    """Rights come back: five minutes later it has a part again, and loses it again if nothing has changed."""
    ability, moments = able(), []
    for now in range(0, 700, 3):
        ability.looked(True, now)
        if is_able := ability.is_able(now):
            ability.answered(False, now)
        moments.append(is_able)
    assert [state for state, _ in groupby(moments)] == [True, False, True, False, True, False]
    assert moments.count(True) < 20
