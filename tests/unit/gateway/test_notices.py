"""What the gateway tells about itself."""

import pytest

from brokertape.gateway.notices import GATEWAY_EVENTS, PROGRAM_STATUSES, GatewayNotice, NoticeType, read_notice
from brokertape.gateway_pb.v1 import session_pb2 as session
from support import scripted_gateway as says


def _push(notice_type: int, **fields: object) -> session.NotifyResponse:
    s2c = session.NotifyS2C(type=notice_type)
    for name, value in fields.items():
        getattr(s2c, name).CopyFrom(value)
    return session.NotifyResponse(ret_type=0, s2c=s2c)


def test_being_kicked_out_is_an_alarm_with_the_gateways_text() -> None:
    """Somebody logged in elsewhere."""
    assert read_notice(says.kicked_out()) == GatewayNotice(
        NoticeType.GATEWAY_EVENT, "kicked_out", "账号在别处登录", is_alarm=True
    )


@pytest.mark.parametrize(
    ("event_type", "name"),
    [(3, "force_update"), (4, "login_failed"), (11, "phone_code_needed"), (99, "gateway_event_99")],
)
def test_gateway_events_have_names(event_type: int, name: str) -> None:
    """One we do not know keeps its number."""
    notice = read_notice(_push(1, event=session.GatewayEvent(event_type=event_type, desc="")))
    assert notice is not None
    assert (notice.name, notice.is_alarm) == (name, True)


@pytest.mark.parametrize(
    ("status", "name", "is_alarm"),
    [(10, "ready", False), (2, "logging_in", False), (11, "forced_logout", True), (99, "program_status_99", True)],
)
def test_a_program_status_alarms_unless_it_passes_by_itself(status: int, name: str, is_alarm: bool) -> None:
    """Starting and ready are as it should be."""
    field = session.ProgramStatusNotice()
    field.program_status.type = status
    field.program_status.ext_desc = "text"
    assert read_notice(_push(2, program_status=field)) == GatewayNotice(
        NoticeType.PROGRAM_STATUS, name, "text", is_alarm=is_alarm
    )


@pytest.mark.parametrize(("is_logined", "name"), [(True, "qot_logined"), (False, "qot_login_lost")])
def test_the_backend_login_is_told_both_ways(is_logined: bool, name: str) -> None:
    """Lost is an alarm, regained is not."""
    status = session.ConnectStatus(qot_logined=is_logined, trd_logined=True)
    notice = read_notice(_push(3, connect_status=status))
    assert notice is not None
    assert (notice.name, notice.is_alarm) == (name, not is_logined)


@pytest.mark.parametrize(
    ("notice_type", "name"), [(4, "qot_right"), (6, "api_quota"), (7, "used_quota"), (5, "notice_5")]
)
def test_rights_quotas_and_unknown_types_are_no_alarm(notice_type: int, name: str) -> None:
    """They are told all the same."""
    notice = read_notice(_push(notice_type))
    assert notice is not None
    assert (notice.name, notice.is_alarm) == (name, False)


def test_a_push_that_says_no_tells_nothing() -> None:
    """Its content cannot be relied on."""
    assert read_notice(session.NotifyResponse(ret_type=-1)) is None


def test_every_name_is_one_word_for_one_thing() -> None:
    """Status events are named after them."""
    for names in (GATEWAY_EVENTS, PROGRAM_STATUSES):
        assert len(set(names.values())) == len(names)
        assert all(name.replace("_", "").isalpha() and name.islower() for name in names.values())
