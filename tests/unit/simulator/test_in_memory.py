"""The gateway without sockets, in virtual time."""

import asyncio
from datetime import date

import pytest

from brokertape.gateway.errors import (
    GatewayError,
    InvalidRequest,
    LinkLost,
    NoRights,
    NotConnected,
    NotHongKong,
    OverBudget,
    RequestTimeout,
    TooManyCodes,
    UnknownCode,
    UpstreamTrouble,
)
from brokertape.gateway.port import MAX_CODES, MAX_CODES_BMP, Gateway
from brokertape.gateway.values import MarketState
from brokertape.simulator.in_memory import InMemoryGateway
from brokertape.simulator.instruments import HANG_SENG_INDEX, KNOWN
from brokertape.simulator.market_model import MarketModel, MarketSettings
from brokertape.simulator.misbehaviour import Misbehaviour
from brokertape.simulator.rules import Limits
from brokertape.simulator.texts import Language
from brokertape.simulator.trading_calendar import market_moment
from brokertape.simulator.virtual_time import VirtualClock, run_virtual

BEGIN_S = market_moment(date(2026, 5, 8), 10 * 3600)
CODE = "HK.00700"


class Scene:
    """A gateway over a small market that begins at ten, on a virtual clock."""

    def __init__(self, language: Language = Language.CHINESE, **misbehaviour: float) -> None:
        self.clock = VirtualClock(round(BEGIN_S * 1000))
        instruments = (*KNOWN[:3], HANG_SENG_INDEX)
        self.market = MarketModel(MarketSettings(instruments, trades_per_s=1.0), BEGIN_S)
        self.gateway = InMemoryGateway(
            self.market,
            self.clock.now_s,
            misbehaviour=Misbehaviour(**misbehaviour),  # type: ignore[arg-type]
            limits=Limits(limit=3, window_s=30.0),
            language=language,
        )


def test_it_is_a_gateway() -> None:
    """The publisher's port accepts it."""

    async def run() -> bool:
        gateway: Gateway = Scene().gateway
        return gateway.is_connected

    assert run_virtual(run())


def test_it_answers_every_call() -> None:
    """Each with the values of the market now."""

    async def run() -> None:
        scene = Scene()
        gateway, market = scene.gateway, scene.market
        await asyncio.sleep(60)
        table = await gateway.top_ten_brokers(CODE)
        assert table == market.table(CODE)
        assert len(table.brokers) == 20
        assert await gateway.top_ten_brokers(CODE, 1) == market.table(CODE, 1)
        state = await gateway.global_state()
        assert (state.market_hk, state.is_ready, state.time_s) == (MarketState.MORNING, True, int(BEGIN_S) + 60)
        (info,) = await gateway.static_info(["HK.09988"])
        assert (info.code, info.lot_size, info.has_broker_table) == ("HK.09988", 100, True)
        (snapshot,) = await gateway.market_snapshot([CODE])
        quote = market.quote(CODE)
        assert (snapshot.name, snapshot.lot_size, snapshot.sec_status) == ("TENCENT", 100, 1)
        assert (snapshot.volume, snapshot.turnover, snapshot.update_timestamp) == (
            quote.volume,
            quote.turnover,
            quote.updated_s,
        )
        assert [day.date for day in await gateway.trade_dates("2026-05-08", "2026-05-11")] == [
            "2026-05-08",
            "2026-05-11",
        ]

    run_virtual(run())


def test_a_request_over_the_limit_is_refused_and_counts_not() -> None:
    """The fourth of three is refused, until more than a window after the first."""

    async def run() -> None:
        gateway = Scene().gateway
        for _ in range(3):
            await gateway.top_ten_brokers(CODE)
        with pytest.raises(OverBudget, match="每30秒最多3次"):
            await gateway.top_ten_brokers(CODE)
        await asyncio.sleep(30)
        with pytest.raises(OverBudget):
            await gateway.top_ten_brokers(CODE)
        await asyncio.sleep(0.01)
        await gateway.top_ten_brokers(CODE)
        assert [answer.reply.ret_type for answer in gateway.answers] == [0, 0, 0, -1, -1, 0]

    run_virtual(run())


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize(
    ("code", "error"),
    [("US.AAPL", NotHongKong), ("HK.800000", NotHongKong), ("HK.99999", UnknownCode)],
)
def test_refusals_are_of_the_kind_the_client_reads(code: str, error: type[GatewayError], language: Language) -> None:
    """In both languages, and a failed call counts against the limit."""

    async def run() -> None:
        gateway = Scene(language).gateway
        for _ in range(3):
            with pytest.raises(error):
                await gateway.top_ten_brokers(code)
        with pytest.raises(OverBudget):
            await gateway.top_ten_brokers(CODE)

    run_virtual(run())


def test_snapshots_have_a_limit_of_their_own() -> None:
    """Sixty in a window, apart from what is asked of the lists; the next is more than a window after the first."""

    async def run() -> None:
        gateway = Scene().gateway
        for _ in range(60):
            await gateway.market_snapshot([CODE])
        for _ in range(3):
            await gateway.top_ten_brokers(CODE)
        with pytest.raises(OverBudget, match="获取市场快照频率太高，请求失败，每30秒最多60次"):
            await gateway.market_snapshot([CODE])
        await asyncio.sleep(30.01)
        await gateway.market_snapshot([CODE])

    run_virtual(run())


@pytest.mark.parametrize("language", list(Language))
def test_rights_allow_some_codes_a_snapshot_or_none(language: Language) -> None:
    """One too many is told apart from no rights at all; they may change while it runs, and lists do not need them."""

    async def run() -> None:
        gateway = Scene(language).gateway
        gateway.rules.snapshot_codes = MAX_CODES_BMP
        assert len(await gateway.market_snapshot([CODE] * MAX_CODES_BMP)) == MAX_CODES_BMP
        with pytest.raises(TooManyCodes, match=str(MAX_CODES_BMP)):
            await gateway.market_snapshot([CODE] * (MAX_CODES_BMP + 1))
        gateway.rules.snapshot_codes = 0
        with pytest.raises(NoRights):
            await gateway.market_snapshot([CODE])
        await gateway.top_ten_brokers(CODE)

    run_virtual(run())


def test_refused_snapshots_count_as_others_do() -> None:
    """What the rights refuse was admitted first."""

    async def run() -> None:
        gateway = Scene().gateway
        gateway.rules.snapshot_codes = 0
        for _ in range(60):
            with pytest.raises(NoRights):
                await gateway.market_snapshot([CODE])
        with pytest.raises(OverBudget):
            await gateway.market_snapshot([CODE])

    run_virtual(run())


def test_what_the_client_would_not_send_is_not_answered() -> None:
    """No code, or more than one request takes."""

    async def run() -> None:
        gateway = Scene().gateway
        for codes in ([], [CODE] * (MAX_CODES + 1)):
            for ask in (gateway.static_info, gateway.market_snapshot):
                with pytest.raises(InvalidRequest, match=f"{len(codes)} codes"):
                    await ask(codes)

    run_virtual(run())


def test_an_unknown_code_is_named() -> None:
    """By either call that takes several."""

    async def run() -> None:
        gateway = Scene().gateway
        for ask in (gateway.static_info, gateway.market_snapshot):
            with pytest.raises(UnknownCode) as refused:
                await ask([CODE, "HK.99999"])
            assert refused.value.codes == ("HK.99999",)

    run_virtual(run())


def test_days_that_no_gateway_has_are_refused() -> None:
    """Neither the future nor the last century is searched."""

    async def run() -> None:
        gateway = Scene().gateway
        for days_before in (-1, 10**9):
            with pytest.raises(GatewayError, match="daysBefore"):
                await gateway.top_ten_brokers(CODE, days_before)

    run_virtual(run())


def test_a_code_fails_for_the_time_it_is_told_to() -> None:
    """With the text of a backend in trouble; other codes go on."""

    async def run() -> None:
        scene = Scene()
        scene.gateway.misbehaviour.fail_code(CODE, "NN_ProtoRet_TimeOut", until_s=BEGIN_S + 60)
        with pytest.raises(UpstreamTrouble):
            await scene.gateway.top_ten_brokers(CODE)
        await scene.gateway.top_ten_brokers("HK.09988")
        await asyncio.sleep(60)
        await scene.gateway.top_ten_brokers(CODE)

    run_virtual(run())


def test_logged_out_every_quote_call_fails_and_the_state_says_why() -> None:
    """The link stays; nothing can be asked."""

    async def run() -> None:
        gateway = Scene().gateway
        gateway.misbehaviour.is_logged_in = False
        for ask in (gateway.top_ten_brokers(CODE), gateway.static_info([CODE]), gateway.market_snapshot([CODE])):
            with pytest.raises(UpstreamTrouble):
                await ask
        assert not (await gateway.global_state()).is_ready

    run_virtual(run())


def test_latency_is_waited_for_each_way_and_limits_count_on_receipt() -> None:
    """The answer is of the moment the request arrives, half a round trip after it left."""

    async def run() -> None:
        scene = Scene(latency_ms=200)
        began_s = scene.clock.now_s()
        await scene.gateway.top_ten_brokers(CODE)
        assert scene.clock.now_s() - began_s == pytest.approx(0.4, abs=0.002)
        (answer,) = scene.gateway.answers
        assert answer.received_ms == pytest.approx(began_s * 1000 + 200, abs=2)

    run_virtual(run())


def test_a_lost_reply_is_a_timeout_and_a_cut_one_a_lost_link() -> None:
    """Both after the answer was given, which therefore is on record."""

    async def run() -> None:
        scene = Scene()
        scene.gateway.misbehaviour.drop_replies()
        scene.gateway.misbehaviour.cut_replies()
        began_s = scene.clock.now_s()
        with pytest.raises(RequestTimeout):
            await scene.gateway.top_ten_brokers(CODE)
        assert scene.clock.now_s() - began_s == pytest.approx(5.0)
        with pytest.raises(LinkLost):
            await scene.gateway.top_ten_brokers(CODE)
        assert len(scene.gateway.answers) == 2

    run_virtual(run())


def test_disconnected_it_fails_at_once_and_loses_what_was_under_way() -> None:
    """A call on its way when the link breaks fails too, even if the link is back before its reply."""

    async def run() -> None:
        gateway = Scene(latency_ms=100).gateway
        under_way = asyncio.ensure_future(gateway.top_ten_brokers(CODE))
        await asyncio.sleep(0.15)
        gateway.disconnect()
        with pytest.raises(NotConnected):
            await gateway.top_ten_brokers(CODE)
        gateway.connect()
        with pytest.raises(LinkLost):
            await under_way
        await gateway.top_ten_brokers(CODE)

    run_virtual(run())
