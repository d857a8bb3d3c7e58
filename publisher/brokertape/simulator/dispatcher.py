"""Requests of an open session to replies: pure but for the state of limits and subscriptions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import time
from typing import Any

from google.protobuf.message import Message

from brokertape.gateway.errors import MalformedBody, Refused
from brokertape.gateway.messages import MESSAGES, ProtoId, parse_request
from brokertape.gateway.refusals import OK
from brokertape.gateway.values import MarketState
from brokertape.gateway_pb.v1 import common_pb2 as common
from brokertape.gateway_pb.v1 import quote_pb2 as quote
from brokertape.gateway_pb.v1 import session_pb2 as session
from brokertape.simulator import replies
from brokertape.simulator.rules import FAILED, SERVER_VER, GatewayRules, TopTenReply
from brokertape.simulator.subscriptions import BASIC, Subscriptions, Unit

SERVER_BUILD_NO = 1
INVALID_PACKET = -500  # retType


@dataclass(frozen=True, slots=True)
class TopTenGiven:
    """What a 3247 reply answers."""

    code: str
    days_before: int
    reply: TopTenReply


@dataclass(frozen=True, slots=True)
class Response:
    """The reply to one request, and of a 3247 one what it gave."""

    message: Message
    top_ten: TopTenGiven | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request: who sent it, and when it was received on the gateway's clock."""

    conn_id: int
    received_s: float
    c2s: Any


class Dispatcher:
    """Answers every request the simulator knows. `respond` raises nothing: what is wrong is said in the reply."""

    def __init__(self, rules: GatewayRules, subscriptions: Subscriptions) -> None:
        self._rules = rules
        self._subscriptions = subscriptions
        self._handlers: dict[int, Callable[[Request], Response]] = {
            ProtoId.GET_GLOBAL_STATE: self._global_state,
            ProtoId.KEEP_ALIVE: self._keep_alive,
            ProtoId.QOT_SUB: self._sub,
            ProtoId.QOT_GET_SUB_INFO: self._sub_info,
            ProtoId.QOT_GET_STATIC_INFO: self._static_info,
            ProtoId.QOT_GET_SECURITY_SNAPSHOT: self._snapshot,
            ProtoId.QOT_REQUEST_TRADE_DATE: self._trade_date,
            ProtoId.QOT_GET_MARKET_STATE: self._market_state,
            ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS: self._top_ten,
        }

    def respond(self, conn_id: int, received_s: float, proto_id: int, plain_body: bytes) -> Response:
        """The reply to a request."""
        handler = self._handlers.get(proto_id)
        if handler is None:
            return _failure(ProtoId.KEEP_ALIVE, FAILED, f"protocol {proto_id} is not simulated")
        try:
            request: Any = parse_request(proto_id, plain_body)
            return handler(Request(conn_id, received_s, request.c2s))
        except MalformedBody as error:
            return _failure(proto_id, INVALID_PACKET, str(error))
        except Refused as refused:
            return _failure(proto_id, refused.ret_type, refused.ret_msg)

    def _global_state(self, request: Request) -> Response:
        misbehaviour = self._rules.misbehaviour
        s2c = session.GetGlobalStateS2C(
            market_hk=self._rules.market_state(),
            market_us=MarketState.CLOSED,
            market_sh=MarketState.CLOSED,
            market_sz=MarketState.CLOSED,
            market_hk_future=MarketState.CLOSED,
            qot_logined=misbehaviour.is_logged_in,
            trd_logined=misbehaviour.is_logged_in,
            server_ver=SERVER_VER,
            server_build_no=SERVER_BUILD_NO,
            time=int(self._rules.market_now_s()),
            local_time=time(),  # of the machine the gateway runs on; `time` is the market's
            program_status=common.ProgramStatus(type=misbehaviour.program_status),
            conn_id=request.conn_id,
        )
        return Response(session.GetGlobalStateResponse(ret_type=OK, ret_msg="", s2c=s2c))

    def _keep_alive(self, _: Request) -> Response:
        s2c = session.KeepAliveS2C(time=int(self._rules.market_now_s()))
        return Response(session.KeepAliveResponse(ret_type=OK, ret_msg="", s2c=s2c))

    def _top_ten(self, request: Request) -> Response:
        code, days_before = replies.code_of(request.c2s.security), request.c2s.days_before
        reply = self._rules.top_ten(code, days_before, request.received_s)
        message = quote.QotGetTopTenBuySellBrokersResponse(ret_type=reply.ret_type, ret_msg=reply.ret_msg)
        if reply.table is not None:
            message.s2c.CopyFrom(replies.top_ten(reply.table))
        return Response(message, TopTenGiven(code, days_before, reply))

    def _static_info(self, request: Request) -> Response:
        instruments = self._rules.static_info(_codes(request)) or [
            instrument
            for instrument in self._rules.instruments()
            if instrument.sec_type == request.c2s.sec_type or not request.c2s.sec_type
        ]
        s2c = replies.static_info(instruments)
        return Response(quote.QotGetStaticInfoResponse(ret_type=OK, ret_msg="", s2c=s2c))

    def _snapshot(self, request: Request) -> Response:
        quotes = self._rules.quotes(_codes(request), request.received_s)
        snapshots = [replies.snapshot(one, self._rules.instrument(one.code)) for one in quotes]
        s2c = quote.QotGetSecuritySnapshotS2C(snapshot_list=snapshots)
        return Response(quote.QotGetSecuritySnapshotResponse(ret_type=OK, ret_msg="", s2c=s2c))

    def _trade_date(self, request: Request) -> Response:
        s2c = replies.trade_dates(self._rules.trade_dates(request.c2s.begin_time, request.c2s.end_time))
        return Response(quote.QotRequestTradeDateResponse(ret_type=OK, ret_msg="", s2c=s2c))

    def _market_state(self, request: Request) -> Response:
        instruments = self._rules.static_info(_codes(request))
        s2c = replies.market_states(instruments, self._rules.market_state())
        return Response(quote.QotGetMarketStateResponse(ret_type=OK, ret_msg="", s2c=s2c))

    def _sub(self, request: Request) -> Response:
        codes, sub_types = _codes(request), list(request.c2s.sub_type_list)
        units = [(code, sub_type) for code in codes for sub_type in sub_types]
        if request.c2s.is_unsub_all:
            units = self._subscriptions.units_of(request.conn_id)
        if request.c2s.is_sub_or_un_sub:
            self._rules.check_codes(codes)
            self._subscriptions.subscribe(request.conn_id, units, request.received_s)
            self._register_pushes(request, units)
        else:
            self._subscriptions.unsubscribe(request.conn_id, units, request.received_s)
        return Response(quote.QotSubResponse(ret_type=OK, ret_msg="", s2c=quote.QotSubS2C()))

    def _register_pushes(self, request: Request, units: Sequence[Unit]) -> None:
        c2s = request.c2s
        is_first_push = c2s.is_first_push or not c2s.HasField("is_first_push")
        for code in [code for code, sub_type in units if sub_type == BASIC]:
            if c2s.is_reg_or_un_reg_push:
                volume = None if is_first_push else self._rules.quote(code).volume
                self._subscriptions.register_push(request.conn_id, code, volume)
            elif c2s.HasField("is_reg_or_un_reg_push"):
                self._subscriptions.unregister_push(request.conn_id, code)

    def _sub_info(self, request: Request) -> Response:
        subscriptions = self._subscriptions
        units = subscriptions.units_of(request.conn_id)
        own = quote.ConnSubInfo(used_quota=len(units), is_own_conn_data=True)
        for sub_type in sorted({sub_type for _, sub_type in units}):
            codes = [code for code, of_type in units if of_type == sub_type]
            own.sub_info_list.add(sub_type=sub_type, security_list=map(replies.security_of, codes))
        s2c = quote.QotGetSubInfoS2C(
            conn_sub_info_list=[own],
            total_used_quota=subscriptions.used,
            remain_quota=subscriptions.quota - subscriptions.used,
        )
        return Response(quote.QotGetSubInfoResponse(ret_type=OK, ret_msg="", s2c=s2c))


def _codes(request: Request) -> list[str]:
    return [replies.code_of(security) for security in request.c2s.security_list]


def _failure(proto_id: int, ret_type: int, ret_msg: str) -> Response:
    # All responses begin with the same fields, so that any of them can carry a failure.
    message: Any = MESSAGES[proto_id].response()
    message.ret_type, message.ret_msg = ret_type, ret_msg
    return Response(message)
