"""What the gateway tells unasked about itself (1003), as small values."""

from dataclasses import dataclass
from enum import IntEnum

from brokertape.gateway.refusals import OK
from brokertape.gateway.values import PROGRAM_READY
from brokertape.gateway_pb.v1 import session_pb2 as session
from brokertape.gateway_pb.v1.common_pb2 import ProgramStatus


class NoticeType(IntEnum):
    """What a notice is about; any other number is read as OTHER."""

    OTHER = 0
    GATEWAY_EVENT = 1
    PROGRAM_STATUS = 2
    CONNECT_STATUS = 3
    QOT_RIGHT = 4
    API_QUOTA = 6
    USED_QUOTA = 7

    @classmethod
    def _missing_(cls, value: object) -> "NoticeType":
        return cls.OTHER


# Notify.proto GtwEventType: each of them needs a person.
GATEWAY_EVENTS = {
    1: "local_config_load_failed",
    2: "api_server_run_failed",
    3: "force_update",
    4: "login_failed",
    5: "disclaimer_not_agreed",
    6: "net_config_missing",
    7: "kicked_out",
    8: "login_password_changed",
    9: "login_banned",
    10: "picture_code_needed",
    11: "phone_code_needed",
    12: "app_data_missing",
    13: "necessary_data_missing",
    14: "trade_password_changed",
    15: "device_lock_enabled",
}

# Common.proto ProgramStatusType.
PROGRAM_STATUSES = {
    1: "loaded",
    2: "logging_in",
    3: "picture_code_needed",
    4: "phone_code_needed",
    5: "login_failed",
    6: "force_update",
    7: "necessary_data_preparing",
    8: "necessary_data_missing",
    9: "disclaimer_not_agreed",
    PROGRAM_READY: "ready",
    11: "forced_logout",
    12: "disclaimer_pull_failed",
}

QOT_LOGINED = "qot_logined"

_PASSING_STATUSES = frozenset({1, 2, 7, PROGRAM_READY})  # of a gateway that starts as it should


@dataclass(frozen=True, slots=True)
class GatewayNotice:
    """One thing the gateway told: a short `name` such as `kicked_out`, and its own text, which may be empty.

    `is_alarm`: polling suffers, or somebody has to see to the gateway.
    """

    type: NoticeType
    name: str
    desc: str
    is_alarm: bool


def read_notice(push: session.NotifyResponse) -> GatewayNotice | None:
    """The notice in a push, None if it tells nothing."""
    if push.ret_type != OK:
        return None
    s2c = push.s2c
    match NoticeType(s2c.type):
        case NoticeType.GATEWAY_EVENT:
            return _gateway_event(s2c.event)
        case NoticeType.PROGRAM_STATUS:
            return _program_status(s2c.program_status.program_status)
        case NoticeType.CONNECT_STATUS:
            return _connect_status(s2c.connect_status)
        case NoticeType.QOT_RIGHT:
            desc = f"Hong Kong quote right {s2c.qot_right.hk_qot_right}"
            return GatewayNotice(NoticeType.QOT_RIGHT, "qot_right", desc, is_alarm=False)
        case NoticeType.API_QUOTA:
            desc = f"subscription quota {s2c.api_quota.sub_quota}"
            return GatewayNotice(NoticeType.API_QUOTA, "api_quota", desc, is_alarm=False)
        case NoticeType.USED_QUOTA:
            return GatewayNotice(NoticeType.USED_QUOTA, "used_quota", "", is_alarm=False)
        case NoticeType.OTHER:
            return GatewayNotice(NoticeType.OTHER, f"notice_{s2c.type}", "", is_alarm=False)


def _gateway_event(event: session.GatewayEvent) -> GatewayNotice:
    name = GATEWAY_EVENTS.get(event.event_type, f"gateway_event_{event.event_type}")
    return GatewayNotice(NoticeType.GATEWAY_EVENT, name, event.desc, is_alarm=True)


def _program_status(status: ProgramStatus) -> GatewayNotice:
    name = PROGRAM_STATUSES.get(status.type, f"program_status_{status.type}")
    return GatewayNotice(
        NoticeType.PROGRAM_STATUS, name, status.ext_desc, is_alarm=status.type not in _PASSING_STATUSES
    )


def _connect_status(status: session.ConnectStatus) -> GatewayNotice:
    name = QOT_LOGINED if status.qot_logined else "qot_login_lost"
    return GatewayNotice(NoticeType.CONNECT_STATUS, name, "", is_alarm=not status.qot_logined)
