"""Protocol ids and the messages that belong to them."""

from dataclasses import dataclass
from enum import IntEnum

from google.protobuf.message import DecodeError, Message

from brokertape.gateway.errors import MalformedBody, UnknownProtoId
from brokertape.gateway_pb.v1 import quote_pb2 as quote
from brokertape.gateway_pb.v1 import session_pb2 as session

HK_SECURITIES = 1  # Security.market


class ProtoId(IntEnum):
    """The calls and pushes this client knows."""

    INIT_CONNECT = 1001
    GET_GLOBAL_STATE = 1002
    NOTIFY = 1003
    KEEP_ALIVE = 1004
    QOT_SUB = 3001
    QOT_GET_SUB_INFO = 3003
    QOT_UPDATE_BASIC_QOT = 3005
    QOT_GET_STATIC_INFO = 3202
    QOT_GET_SECURITY_SNAPSHOT = 3203
    QOT_REQUEST_TRADE_DATE = 3219
    QOT_GET_MARKET_STATE = 3223
    QOT_GET_TOP_TEN_BUY_SELL_BROKERS = 3247


PUSHES = frozenset({ProtoId.NOTIFY, ProtoId.QOT_UPDATE_BASIC_QOT})


@dataclass(frozen=True, slots=True)
class MessagePair:
    """What is sent and what comes back under one protocol id; a push has no request."""

    request: type[Message] | None
    response: type[Message]


MESSAGES: dict[int, MessagePair] = {
    ProtoId.INIT_CONNECT: MessagePair(session.InitConnectRequest, session.InitConnectResponse),
    ProtoId.GET_GLOBAL_STATE: MessagePair(session.GetGlobalStateRequest, session.GetGlobalStateResponse),
    ProtoId.NOTIFY: MessagePair(None, session.NotifyResponse),
    ProtoId.KEEP_ALIVE: MessagePair(session.KeepAliveRequest, session.KeepAliveResponse),
    ProtoId.QOT_SUB: MessagePair(quote.QotSubRequest, quote.QotSubResponse),
    ProtoId.QOT_GET_SUB_INFO: MessagePair(quote.QotGetSubInfoRequest, quote.QotGetSubInfoResponse),
    ProtoId.QOT_UPDATE_BASIC_QOT: MessagePair(None, quote.QotUpdateBasicQotResponse),
    ProtoId.QOT_GET_STATIC_INFO: MessagePair(quote.QotGetStaticInfoRequest, quote.QotGetStaticInfoResponse),
    ProtoId.QOT_GET_SECURITY_SNAPSHOT: MessagePair(
        quote.QotGetSecuritySnapshotRequest, quote.QotGetSecuritySnapshotResponse
    ),
    ProtoId.QOT_REQUEST_TRADE_DATE: MessagePair(quote.QotRequestTradeDateRequest, quote.QotRequestTradeDateResponse),
    ProtoId.QOT_GET_MARKET_STATE: MessagePair(quote.QotGetMarketStateRequest, quote.QotGetMarketStateResponse),
    ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS: MessagePair(
        quote.QotGetTopTenBuySellBrokersRequest, quote.QotGetTopTenBuySellBrokersResponse
    ),
}


def parse_response(proto_id: int, plain_body: bytes) -> Message:
    """The response or push in `plain_body`.

    Raises:
        UnknownProtoId: No message of ours has this id.
        MalformedBody: The body is not that message.
    """
    return _parse(_pair(proto_id).response, proto_id, plain_body)


def parse_request(proto_id: int, plain_body: bytes) -> Message:
    """The request in `plain_body`, as a gateway reads it; raises as `parse_response` does."""
    request = _pair(proto_id).request
    if request is None:
        raise UnknownProtoId(proto_id)
    return _parse(request, proto_id, plain_body)


def _pair(proto_id: int) -> MessagePair:
    try:
        return MESSAGES[proto_id]
    except KeyError:
        raise UnknownProtoId(proto_id) from None


def _parse(message_type: type[Message], proto_id: int, plain_body: bytes) -> Message:
    message = message_type()
    try:
        message.ParseFromString(plain_body)
    except (DecodeError, UnicodeDecodeError) as error:
        raise MalformedBody(f"body of message {proto_id} is not a {message_type.DESCRIPTOR.name}") from error
    if not message.IsInitialized():
        raise MalformedBody(f"{message_type.DESCRIPTOR.name} lacks a required field")
    return message
