"""Which publisher polls which code. Pure: whoever divides the same codes among the same publishers gets the same.

Weighted rendezvous hashing: a code falls to the publisher whose score for it is highest, so that one that joins or
leaves moves hardly any codes but its own. On its own that spreads codes as dice do; so codes with a promise, codes that
weigh more than usual and all others are each divided so that nobody has more than its share and one code. (Bounded
loads: Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads", 2018.)
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from enum import Enum, auto
from hashlib import blake2b

from brokertape.publisher.leases import Peer
from brokertape.publisher.schedule import MOST_PROMISED
from brokertape.tape.want import Want

USUAL_WEIGHT = 1.0
ROUNDING = 1e-9  # of all that is divided: less room than that is none
_SCALE = float(1 << 64)


class Load(Enum):
    """Kinds of codes, each divided for itself."""

    PROMISED = auto()
    HEAVY = auto()
    USUAL = auto()


def divide(wants: Mapping[str, Want], shares: Mapping[str, float]) -> dict[str, str]:
    """Code → the publisher that polls it.

    Args:
        wants: The codes, and how urgently each is wanted.
        shares: Publisher → polls a second it can make, above 0.
    """
    if not shares:
        return {}
    owners: dict[str, str] = {}
    most_promised_per_s = MOST_PROMISED * max(shares.values())
    loads = {code: _load(want, most_promised_per_s) for code, want in sorted(wants.items())}
    for kind in Load:
        owners |= _spread({code: demand for code, (load, demand) in loads.items() if load is kind}, shares)
    return owners


def shares_of(peers: Iterable[Peer]) -> dict[str, float]:
    """How many polls a second each publisher can make: those of one account share its budget.

    If none can poll, they share as if all could: whoever can first finds its part.
    """
    peers = list(peers)
    chosen = [peer for peer in peers if peer.can_poll] or peers
    on_account = Counter(peer.account for peer in chosen)
    return {peer.publisher: peer.polls_per_s / on_account[peer.account] for peer in chosen}


class Division:
    """What falls to one publisher. Divides anew only when something has changed."""

    def __init__(self, publisher: str) -> None:
        self._publisher = publisher
        self._wants: Mapping[str, Want] = {}
        self._shares: Mapping[str, float] = {}
        self._owners: Mapping[str, str] = {}

    def part(self, wants: Mapping[str, Want], peers: Collection[Peer]) -> dict[str, Want]:
        """Our codes: all of them while nobody else is alive."""
        shares = shares_of(peers)
        if (wants, shares) != (self._wants, self._shares):
            self._wants, self._shares = dict(wants), shares
            self._owners = divide(wants, shares)
        if not shares:
            return dict(wants)  # not even our own lease is known yet
        return {code: want for code, want in wants.items() if self._owners.get(code) == self._publisher}

    def is_ours(self, name: str) -> bool:
        """Whether it falls to us to speak of `name`, which is no code."""
        return not self._shares or _preferred(name, self._shares) == self._publisher

    def polls_per_s(self, of_account: float) -> float:
        """Our share of the `of_account` polls a second of our account."""
        return self._shares.get(self._publisher, of_account)


def _load(want: Want, most_promised_per_s: float) -> tuple[Load, float]:
    """Its kind, and what it takes: a promise polls a second, without one a code is polled as the root of its weight.

    A promise that nobody could keep is none.
    """
    if want.max_staleness_s is not None and 1 / want.max_staleness_s <= most_promised_per_s:
        return Load.PROMISED, 1 / want.max_staleness_s
    return Load.HEAVY if want.weight > USUAL_WEIGHT else Load.USUAL, math.sqrt(want.weight)


def _spread(demands: Mapping[str, float], shares: Mapping[str, float]) -> dict[str, str]:
    """To whom each would rather fall, as long as that one's share is not used up; the largest first."""
    total = sum(demands.values())
    room = {publisher: total * share / sum(shares.values()) for publisher, share in shares.items()}
    owners: dict[str, str] = {}
    for code in sorted(demands, key=lambda code: (-demands[code], code)):
        having_room = {publisher: share for publisher, share in shares.items() if room[publisher] > ROUNDING * total}
        owner = _preferred(code, having_room or shares)
        owners[code] = owner
        room[owner] -= demands[code]
    return owners


def _preferred(code: str, shares: Mapping[str, float]) -> str:
    """To whom it falls if nothing but its share speaks against a publisher."""
    return min(shares, key=lambda publisher: _score(code, publisher) / shares[publisher])


def _score(code: str, publisher: str) -> float:
    """Exponentially distributed, so that the smallest of those divided by shares is each one's in proportion."""
    digest = blake2b(f"{code}|{publisher}".encode(), digest_size=8).digest()
    return -math.log((int.from_bytes(digest, "big") + 0.5) / _SCALE)
