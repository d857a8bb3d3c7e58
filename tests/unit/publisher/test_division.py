"""Dividing codes among publishers: everybody gets the same answer, evenly, and little moves."""

import random
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from brokertape.publisher.division import Division, divide, shares_of
from brokertape.publisher.leases import Peer
from brokertape.tape.want import Want

USUAL = Want()
WANTS = st.builds(
    Want,
    weight=st.sampled_from([0.5, 1.0, 1.0, 1.0, 3.0, 10.0]),
    max_staleness_s=st.sampled_from([None, None, None, 5.0, 10.0, 60.0]),
)
SHARES = st.dictionaries(st.sampled_from([f"p{n}" for n in range(8)]), st.floats(0.01, 5.0), min_size=1, max_size=8)


def codes(count: int) -> list[str]:
    """So many codes."""
    return [f"HK.{number:05d}" for number in range(1, count + 1)]


def usual(count: int) -> dict[str, Want]:
    """So many codes wanted as usual."""
    return dict.fromkeys(codes(count), USUAL)


def moved(before: Mapping[str, str], after: Mapping[str, str]) -> int:
    """How many codes of both have another publisher."""
    return sum(after[code] != owner for code, owner in before.items() if code in after)


@given(st.lists(WANTS, max_size=60), SHARES, st.randoms(use_true_random=False))
def test_every_code_falls_to_one_and_order_is_no_matter(
    wants: list[Want], shares: dict[str, float], rng: random.Random
) -> None:
    """Whoever divides, and in whichever order it has heard of codes and publishers."""
    items, publishers = list(zip(codes(len(wants)), wants, strict=True)), list(shares.items())
    owners = divide(dict(items), shares)
    assert owners.keys() == dict(items).keys()
    assert set(owners.values()) <= shares.keys()
    rng.shuffle(items)
    rng.shuffle(publishers)
    assert divide(dict(items), dict(publishers)) == owners


@given(st.lists(WANTS, min_size=1, max_size=60), SHARES)
def test_nobody_has_more_than_its_share_and_one_code(wants: list[Want], shares: dict[str, float]) -> None:
    """Of the promises, of the heavy codes and of the others, each by what it takes."""
    wanted = dict(zip(codes(len(wants)), wants, strict=True))
    owners = divide(wanted, shares)
    kinds = {
        "promised": {
            c: 1 / w.max_staleness_s for c, w in wanted.items() if can_be_kept(w, shares) and w.max_staleness_s
        },
        "heavy": {c: w.weight**0.5 for c, w in wanted.items() if not can_be_kept(w, shares) and w.weight > 1},
        "usual": {c: w.weight**0.5 for c, w in wanted.items() if not can_be_kept(w, shares) and w.weight <= 1},
    }
    for demands in kinds.values():
        for publisher, share in shares.items():
            taken = sum(demand for code, demand in demands.items() if owners[code] == publisher)
            fair = sum(demands.values()) * share / sum(shares.values())
            assert taken <= fair + max(demands.values(), default=0) + 1e-6


def test_equal_publishers_have_equally_many() -> None:
    """200 codes for two are 100 each, 20 pinned ones 10 each."""
    wants = {code: Want(max_staleness_s=10.0 if n < 20 else None) for n, code in enumerate(codes(200))}
    owners = divide(wants, {"a": 1.0, "b": 1.0})
    assert sorted(Counter(owners.values()).values()) == [100, 100]
    assert sorted(Counter(owners[code] for code in codes(20)).values()) == [10, 10]


def test_shares_are_kept() -> None:
    """Who can poll three times as often has three times as many."""
    counts = Counter(divide(usual(400), {"a": 3.0, "b": 1.0}).values())
    assert abs(counts["a"] - 300) <= 1


@pytest.mark.parametrize("publishers", [2, 3, 5, 10])
def test_one_that_dies_moves_little_but_its_own(publishers: int) -> None:
    """Of 1000 codes its own have to; of the others one in five at most, for all have to have equally many again."""
    shares = {f"p{number}": 1.0 for number in range(publishers)}
    before = divide(usual(1000), shares)
    after = divide(usual(1000), {name: share for name, share in shares.items() if name != "p0"})
    had_to = sum(owner == "p0" for owner in before.values())
    assert moved(before, after) - had_to <= (1000 - had_to) / 5
    assert divide(usual(1000), shares) == before


@pytest.mark.parametrize("publishers", [2, 3, 5, 10])
def test_a_code_that_comes_moves_hardly_any(publishers: int) -> None:
    """Each of a hundred codes that come one after the other: less than two others on average."""
    shares = {f"p{number}": 1.0 for number in range(publishers)}
    assignments = [divide(usual(count), shares) for count in range(300, 401)]
    moves = [moved(before, after) for before, after in pairwise(assignments)]
    assert sum(moves) / len(moves) < 2


@settings(max_examples=50)
@given(st.lists(WANTS, max_size=40), SHARES)
def test_parts_are_the_whole(wants: list[Want], shares: dict[str, float]) -> None:
    """What falls to each of all publishers, put together, is what is wanted, once."""
    wanted = dict(zip(codes(len(wants)), wants, strict=True))
    peers = [Peer(name, f"account of {name}", share) for name, share in shares.items()]
    parts = [Division(name).part(wanted, peers) for name in shares]
    assert sum(map(len, parts)) == len(wanted)
    assert {code: want for part in parts for code, want in part.items()} == wanted


def test_publishers_of_one_account_share_its_budget() -> None:
    """Two of one, one of another: half, half, and all of it."""
    peers = [Peer("a", "one", 1.0), Peer("b", "one", 1.0), Peer("c", "other", 0.5)]
    assert shares_of(peers) == {"a": 0.5, "b": 0.5, "c": 0.5}


def test_who_cannot_poll_gets_nothing_unless_nobody_can() -> None:
    """The others have its codes and its account; once none can, it is as if all could."""
    able, unable = Peer("a", "one", 1.0), Peer("b", "one", 1.0, can_poll=False)
    assert shares_of([able, unable]) == {"a": 1.0}
    assert Division("b").part(usual(10), [able, unable]) == {}
    both = [Division(name).part(usual(10), [replace(able, can_poll=False), unable]) for name in "ab"]
    assert sorted(map(len, both)) == [5, 5]


def test_alone_it_has_everything() -> None:
    """Also before its own lease is known; of names that are no codes it speaks as well."""
    division = Division("a")
    for peers in ([], [Peer("a", "one", 0.3)], [Peer("a", "one", 0.3, can_poll=False)]):
        assert division.part(usual(3), peers) == usual(3)
        assert division.is_ours("US.AAPL")
        assert division.polls_per_s(0.3) == 0.3


def test_of_what_is_no_code_one_speaks() -> None:
    """Each name falls to one of them."""
    peers = [Peer(name, name, 1.0) for name in "abc"]
    divisions = [Division(name) for name in "abc"]
    for division in divisions:
        division.part({}, peers)
    assert all(sum(division.is_ours(f"US.{n}") for division in divisions) == 1 for n in range(50))


def can_be_kept(want: Want, shares: Mapping[str, float]) -> bool:
    """Whether there is a promise that takes no more than 80 % of what somebody can poll."""
    return want.max_staleness_s is not None and 1 / want.max_staleness_s <= 0.8 * max(shares.values())


def test_a_promise_that_nobody_can_keep_moves_no_others() -> None:
    """Any subscriber may ask for it: the codes that can be promised stay evenly divided."""
    wants = {code: Want(max_staleness_s=10.0) for code in codes(12)}
    wants["HK.00700"] = Want(max_staleness_s=0.01)
    counts = Counter(owner for code, owner in divide(wants, {"a": 1.0, "b": 1.0}).items() if code != "HK.00700")
    assert sorted(counts.values()) == [6, 6]
