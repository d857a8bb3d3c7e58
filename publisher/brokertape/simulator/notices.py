"""What the gateway tells unasked (1003), to clients that wanted to be told."""

from brokertape.gateway.refusals import OK
from brokertape.gateway_pb.v1 import common_pb2 as common
from brokertape.gateway_pb.v1 import session_pb2 as session

FORCED_LOGOUT = 11  # ProgramStatusType

_GATEWAY_EVENT, _PROGRAM_STATUS, _CONNECTION_STATUS = 1, 2, 3  # Notify.type
_KICKED_OUT = 7  # GtwEventType


def kicked_out(desc: str) -> session.NotifyResponse:
    """The account logged in elsewhere."""
    event = session.GatewayEvent(event_type=_KICKED_OUT, desc=desc)
    return _notice(session.NotifyS2C(type=_GATEWAY_EVENT, event=event))


def program_status(status: int) -> session.NotifyResponse:
    """The gateway's state changed."""
    notice = session.ProgramStatusNotice(program_status=common.ProgramStatus(type=status))
    return _notice(session.NotifyS2C(type=_PROGRAM_STATUS, program_status=notice))


def connection_status(*, is_logged_in: bool) -> session.NotifyResponse:
    """The gateway lost or regained its backend."""
    status = session.ConnectStatus(qot_logined=is_logged_in, trd_logined=is_logged_in)
    return _notice(session.NotifyS2C(type=_CONNECTION_STATUS, connect_status=status))


def _notice(s2c: session.NotifyS2C) -> session.NotifyResponse:
    return session.NotifyResponse(ret_type=OK, ret_msg="", s2c=s2c)
