"""Protocol ids and their messages."""

import pytest

from brokertape.gateway.errors import MalformedBody, UnknownProtoId
from brokertape.gateway.messages import MESSAGES, PUSHES, ProtoId, parse_request, parse_response
from brokertape.gateway_pb.v1 import session_pb2 as session


def test_every_known_id_has_its_messages() -> None:
    """Pushes have no request, all others have one."""
    assert set(MESSAGES) == set(ProtoId)
    assert {proto_id for proto_id, pair in MESSAGES.items() if pair.request is None} == PUSHES


def test_an_unknown_id_is_told_by_its_number() -> None:
    """Whoever receives it can skip it and say which."""
    with pytest.raises(UnknownProtoId) as caught:
        parse_response(3007, b"")
    assert caught.value.proto_id == 3007


def test_a_push_cannot_be_requested() -> None:
    """A gateway that reads one as a request says so."""
    with pytest.raises(UnknownProtoId):
        parse_request(ProtoId.NOTIFY, b"")


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"\x12\x02\xff\xfe", b""], ids=["wire", "text", "required"])
def test_a_body_that_is_not_its_message_is_malformed(body: bytes) -> None:
    """Broken wire format, text that is no UTF-8 and a missing required field alike."""
    with pytest.raises(MalformedBody):
        parse_response(ProtoId.KEEP_ALIVE, body)


def test_unknown_fields_are_ignored() -> None:
    """A newer gateway may say more."""
    body = session.KeepAliveResponse(ret_type=0, s2c=session.KeepAliveS2C(time=1)).SerializeToString()
    reply = parse_response(ProtoId.KEEP_ALIVE, body + b"\xa2\x06\x03new")
    assert isinstance(reply, session.KeepAliveResponse)
    assert reply.s2c.time == 1
