"""What live subscribers ask for: how it is written to Redis, and what many wants of one code come to. Pure.

Each member `<code>|<subscriber>` has its expiry (ms on Redis' own clock) in one key and its want in another; the two
lie in different Cluster slots. So the order matters: who asks writes the expiry first and the want after it, who
leaves or sweeps takes the want out first. Then whatever dies half-way leaves no want without an expiry.
"""

from collections.abc import Iterable

from pydantic import ValidationError

from brokertape.tape.errors import InvalidCode
from brokertape.tape.keys import check_code, check_name
from brokertape.tape.want import Want

INTEREST_TTL_S = 30.0  # how far ahead a subscriber writes its expiry
INTEREST_RENEW_S = 10.0  # how often it does: two renewals may fail before it is forgotten
INTEREST_SWEPT_AFTER_S = 60.0  # so long after its expiry a member is deleted

_SHOWN = 64  # characters of what somebody else wrote that are repeated


def member_of(code: str, subscriber: str) -> str:
    """The member under which `subscriber` asks for `code`.

    Raises:
        InvalidCode: `code` is none.
        InvalidKeys: `subscriber` is no name: 1 to 128 characters without white space, braces or `|`.
    """
    return f"{check_code(code)}|{check_name('subscriber', subscriber)}"


def split_member(member: bytes) -> tuple[str, str]:
    """Code and subscriber of a stored member.

    Raises:
        InvalidCode: It has none of a kind that can be asked for, or names no subscriber.
    """
    code, _, subscriber = member.decode(errors="replace").partition("|")
    check_code(code[:_SHOWN])
    if not subscriber:
        raise InvalidCode(f"{code!r} is asked for without a subscriber's name: write {code}|<name>")
    return code, subscriber


def asked_name(member: bytes) -> str:
    """What `member` asks for, cut to a length that can be shown, whether it is a code or not."""
    return member.decode(errors="replace").partition("|")[0][:_SHOWN]


def want_in(payload: bytes | None) -> Want:
    """The want stored beside a member; the default one if it is missing or cannot be read."""
    try:
        return Want.model_validate_json(payload or b"{}")
    except ValidationError:
        return Want()


def combine(wants: Iterable[Want]) -> Want:
    """One want that serves all of `wants` (at least one): the largest weight, the shortest promise any of them has.

    Raises:
        ValueError: There is none.
    """
    every = list(wants)
    promises = [want.max_staleness_s for want in every if want.max_staleness_s is not None]
    return Want(weight=max(want.weight for want in every), max_staleness_s=min(promises, default=None))
