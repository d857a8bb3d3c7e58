"""How live interest is written, and what many wants of one code come to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokertape.tape.errors import InvalidCode, InvalidKeys
from brokertape.tape.interest import asked_name, combine, member_of, split_member, want_in
from brokertape.tape.want import Want


def test_a_member_is_read_as_it_was_written() -> None:
    """Code and subscriber."""
    assert split_member(member_of("HK.00700", "desk-1").encode()) == ("HK.00700", "desk-1")


@pytest.mark.parametrize(
    ("code", "subscriber", "raised"),
    [("US.AAPL", "desk", InvalidCode), ("HK.00700", "a|b", InvalidKeys), ("HK.00700", "", InvalidKeys)],
)
def test_what_could_not_be_read_back_is_not_written(code: str, subscriber: str, raised: type[Exception]) -> None:
    """No code, or no name."""
    with pytest.raises(raised):
        member_of(code, subscriber)


@pytest.mark.parametrize(
    "member", [b"", b"|", b"HK.00700", b"HK.00700|", b"US.AAPL|desk", b"hk.700|d", b"\xff\xfe|d", b"x" * 100_000]
)
def test_a_malformed_member_is_refused_in_a_short_line(member: bytes) -> None:
    """Whatever it holds, with a name and a reason that can be shown."""
    with pytest.raises(InvalidCode) as error:
        split_member(member)
    assert len(str(error.value)) < 300
    assert len(asked_name(member)) <= 64


@given(st.binary(max_size=40))
def test_reading_a_member_raises_nothing_else(member: bytes) -> None:
    """It is either a Hong Kong code with a subscriber, or refused."""
    try:
        code, subscriber = split_member(member)
    except InvalidCode:
        return
    assert code.startswith("HK.")
    assert subscriber


@pytest.mark.parametrize("payload", [None, b"", b"nonsense", b"[]", b'{"weight":-1}', b'{"weight":NaN}', b"\xff"])
def test_a_want_that_is_missing_or_cannot_be_read_is_the_default_one(payload: bytes | None) -> None:
    """Somebody wants the code; how urgently is unknown."""
    assert want_in(payload) == Want()


def test_many_wants_come_to_one_that_serves_all() -> None:
    """The largest weight, the shortest promise; without any promise, none."""
    wants = [Want(weight=1, max_staleness_s=30), Want(weight=4), Want(weight=2, max_staleness_s=10)]
    assert combine(wants) == Want(weight=4, max_staleness_s=10)
    assert combine([Want(), Want()]) == Want()
