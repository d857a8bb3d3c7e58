"""One connection's conversation, in virtual time."""

import itertools

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from brokertape.gateway.counters import GatewayCounters
from brokertape.gateway.encryption import PacketEncAlgo, PlainCipher
from brokertape.gateway.errors import InitRefused, MalformedBody, TooManyInFlight, WrongDigest, WrongFlag
from brokertape.gateway.exchange import MAX_IN_FLIGHT, Event, Exchange, Opened, Push, Reply
from brokertape.gateway.framing import Frame, FrameDecoder, encode_frame
from brokertape.gateway.messages import ProtoId
from brokertape.gateway.opening import Opening
from brokertape.gateway.requests import global_state, top_ten_brokers
from brokertape.gateway_pb.v1 import session_pb2 as session
from support import scripted_gateway as says

PLAIN = PlainCipher()
TIMEOUT_S = 5.0


def _frame(proto_id: int, serial_no: int, message: Message) -> bytes:
    return encode_frame(proto_id, serial_no, message.SerializeToString(), PLAIN)


def _exchange(counters: GatewayCounters | None = None) -> Exchange:
    return Exchange(Opening("me", PacketEncAlgo.NONE, None), TIMEOUT_S, counters or GatewayCounters())


def _opened(counters: GatewayCounters | None = None) -> Exchange:
    """An exchange opened at 0.0, by serial number 1."""
    exchange = _exchange(counters)
    exchange.open(0.0)
    [event] = exchange.receive_data(_frame(1001, 1, says.accepted()), 0.0)
    assert isinstance(event, Opened)
    return exchange


def _sent(data: bytes) -> Frame:
    [frame] = FrameDecoder().receive_data(data)
    return frame


def _ask(exchange: Exchange, code: str = "HK.00700", now: float = 0.0) -> int:
    return exchange.request(ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS, top_ten_brokers(code, 0), now)[0]


def test_init_connect_comes_first() -> None:
    """Nothing else may be sent before its reply."""
    exchange = _exchange()
    assert _sent(exchange.open(0.0)).proto_id == ProtoId.INIT_CONNECT
    assert not exchange.is_open
    with pytest.raises(RuntimeError, match="before its reply"):
        _ask(exchange)


def test_serial_numbers_rise_with_every_request() -> None:
    """Keep-alives are numbered with the rest."""
    exchange = _opened()
    first = _ask(exchange)
    keep_alive = _sent(exchange.keep_alive(8.0, 1)).serial_no
    assert (first, keep_alive, _ask(exchange)) == (2, 3, 4)


@given(st.permutations(range(6)))
def test_replies_are_matched_in_any_order(order: list[int]) -> None:
    """Each reply carries the serial number of its own request."""
    exchange = _opened()
    serial_nos = [_ask(exchange) for _ in order]
    data = b"".join(_frame(3247, serial_nos[i], says.top_ten(f"broker {i}")) for i in order)
    replies = [event for event in exchange.receive_data(data, 1.0) if isinstance(event, Reply)]
    assert [reply.serial_no for reply in replies] == [serial_nos[i] for i in order]
    assert [reply.message for reply in replies] == [says.top_ten(f"broker {i}") for i in order]
    assert exchange.in_flight == 0


def test_a_reply_is_matched_by_protocol_id_too() -> None:
    """The right number under another id answers nothing."""
    counters = GatewayCounters()
    exchange = _opened(counters)
    serial_no = _ask(exchange)
    assert list(exchange.receive_data(_frame(1002, serial_no, says.global_state()), 0.0)) == []
    assert (exchange.in_flight, counters.late_replies) == (1, 1)


def test_a_second_reply_is_counted_and_dropped() -> None:
    """So is one that nobody asked for."""
    counters = GatewayCounters()
    exchange = _opened(counters)
    reply = _frame(3247, _ask(exchange), says.top_ten())
    events = list(exchange.receive_data(reply + reply + _frame(3247, 99, says.top_ten()), 0.0))
    assert [type(event) for event in events] == [Reply]
    assert counters.late_replies == 2


def test_unknown_ids_are_counted_and_skipped() -> None:
    """Pushes and replies this client does not know disturb nothing around them."""
    counters = GatewayCounters()
    exchange = _opened(counters)
    serial_no = _ask(exchange)
    unknown = encode_frame(3007, 0, b"anything", PLAIN)
    data = unknown + _frame(3247, serial_no, says.top_ten()) + unknown
    assert [type(event) for event in exchange.receive_data(data, 0.0)] == [Reply]
    assert counters.unknown_messages == 2


def test_pushes_come_with_their_id() -> None:
    """Whatever serial number they carry."""
    exchange = _opened()
    [push] = exchange.receive_data(_frame(1003, 0, says.kicked_out()), 0.0)
    assert isinstance(push, Push)
    assert push.proto_id is ProtoId.NOTIFY


def test_a_push_before_the_session_is_open_is_dropped() -> None:
    """It cannot be read yet."""
    exchange = _exchange()
    exchange.open(0.0)
    assert list(exchange.receive_data(_frame(1003, 0, says.kicked_out()), 0.0)) == []
    assert not exchange.is_open


@given(st.sets(st.integers(0, 400)))
def test_events_do_not_depend_on_the_split_of_the_bytes(cuts: set[int]) -> None:
    """Opening, reply, push and the error at the end come out alike."""
    exchange = _exchange()
    exchange.open(0.0)
    stream = _frame(1001, 1, says.accepted()) + _frame(1003, 0, says.kicked_out()) + b"garbage"
    at = sorted({0, len(stream)} | {cut for cut in cuts if cut < len(stream)})
    events: list[Event] = []

    def receive_all() -> None:
        for a, b in itertools.pairwise(at):
            for event in exchange.receive_data(stream[a:b], 0.0):
                events.append(event)  # noqa: PERF402 - what came before the error must be kept

    with pytest.raises(WrongFlag):
        receive_all()
    assert [type(event) for event in events] == [Opened, Push]


def test_a_damaged_reply_is_an_error() -> None:
    """A body that fails its digest means the connection cannot be trusted."""
    exchange = _opened()
    damaged = bytearray(_frame(3247, _ask(exchange), says.top_ten("A")))
    damaged[-1] ^= 1
    with pytest.raises(WrongDigest):
        list(exchange.receive_data(bytes(damaged), 0.0))


def test_a_reply_in_json_is_an_error() -> None:
    """Format 1 was not asked for."""
    exchange = _opened()
    reply = bytearray(_frame(3247, _ask(exchange), says.top_ten()))
    reply[6] = 1
    with pytest.raises(MalformedBody):
        list(exchange.receive_data(bytes(reply), 0.0))


def test_a_refused_opening_is_an_error_with_the_gateways_text() -> None:
    """And opens nothing."""
    exchange = _exchange()
    exchange.open(0.0)
    with pytest.raises(InitRefused, match="请输入手机验证码"):
        list(exchange.receive_data(_frame(1001, 1, says.refused()), 0.0))
    assert not exchange.is_open


def test_the_next_thing_due_is_the_earlier_of_keep_alive_and_deadline() -> None:
    """Eight seconds after opening, or a request's timeout."""
    exchange = _opened()
    assert exchange.due_at == 8.0
    serial_no = _ask(exchange, now=1.0)
    assert exchange.due_at == 6.0
    list(exchange.receive_data(_frame(3247, serial_no, says.top_ten()), 2.0))
    assert exchange.due_at == 8.0


def test_keep_alives_are_due_once_a_period() -> None:
    """Counted from the last one sent; each carries the wall clock."""
    exchange = _opened()
    assert not exchange.is_keep_alive_due(7.9)
    assert exchange.is_keep_alive_due(8.0)
    frame = _sent(exchange.keep_alive(8.5, 1_778_198_421))
    assert session.KeepAliveRequest.FromString(frame.body).c2s.time == 1_778_198_421
    assert not exchange.is_keep_alive_due(16.4)
    assert exchange.is_keep_alive_due(16.5)


def test_a_request_expires_at_its_deadline_once() -> None:
    """Its name is told with it; the others stay in flight."""
    counters = GatewayCounters()
    exchange = _opened(counters)
    early = _ask(exchange, now=1.0)
    exchange.request(ProtoId.GET_GLOBAL_STATE, global_state(), 2.0)
    assert exchange.expire(5.9) == {}
    assert exchange.expire(6.0) == {early: ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS}
    assert exchange.expire(6.0) == {}
    assert (exchange.in_flight, counters.timeouts) == (1, 1)


def test_an_unanswered_opening_and_keep_alive_expire_too() -> None:
    """A gateway that says nothing at all is found out."""
    exchange = _exchange()
    exchange.open(0.0)
    assert list(exchange.expire(5.0).values()) == [ProtoId.INIT_CONNECT]
    exchange = _opened()
    exchange.keep_alive(8.0, 1)
    assert list(exchange.expire(13.0).values()) == [ProtoId.KEEP_ALIVE]


def test_requests_in_flight_are_bounded() -> None:
    """One more than may be is refused, and sends nothing."""
    exchange = _opened()
    for _ in range(MAX_IN_FLIGHT):
        _ask(exchange)
    with pytest.raises(TooManyInFlight):
        _ask(exchange)
    assert exchange.in_flight == MAX_IN_FLIGHT
