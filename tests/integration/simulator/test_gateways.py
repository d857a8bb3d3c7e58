"""Both ways to the simulated gateway, in memory and by our client over its socket, through the publisher's port."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import pytest

from brokertape.gateway.client import GatewayClient
from brokertape.gateway.errors import (
    GatewayError,
    LinkError,
    NoRights,
    NotHongKong,
    OverBudget,
    RequestTimeout,
    TooManyCodes,
    UnknownCode,
    UpstreamTrouble,
)
from brokertape.gateway.port import MAX_CODES_BMP, Gateway
from brokertape.gateway.settings import GatewaySettings
from brokertape.gateway.values import MarketState, SecuritySnapshot
from brokertape.simulator import GatewayServer, InMemoryGateway, MarketModel
from brokertape.simulator.rules import GatewayRules
from support.simulators import CODES, TEN_O_CLOCK_S, simulator_settings

CODE = CODES[0]
TIMEOUT_S = 2.0  # ample for a busy machine, and all that a lost reply costs


class Scene:
    """A gateway as the publisher sees it, the market behind it, and what goes wrong with it."""

    def __init__(self, gateway: Gateway, market: MarketModel, rules: GatewayRules) -> None:
        self.gateway = gateway
        self.market = market
        self.rules = rules
        self.misbehaviour = rules.misbehaviour


@asynccontextmanager
async def in_memory(market: MarketModel) -> AsyncIterator[Scene]:
    """The gateway without sockets, at ten o'clock for ever."""
    gateway = InMemoryGateway(market, lambda: TEN_O_CLOCK_S, request_timeout_s=TIMEOUT_S)
    yield Scene(gateway, market, gateway.rules)


@asynccontextmanager
async def over_a_socket(market: MarketModel, key_file: Path | None = None) -> AsyncIterator[Scene]:
    """Our client, talking to the server."""
    async with GatewayServer(simulator_settings(rsa_key_file=key_file), market) as server:
        settings = GatewaySettings(port=server.port, request_timeout_s=TIMEOUT_S, rsa_key_file=key_file)
        async with GatewayClient(settings) as client:
            await client.wait_connected(10)
            yield Scene(client, market, server.rules)


@pytest.fixture(params=["memory", "socket", "encrypted socket"])
async def scene(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """The same market behind each gateway."""
    market = MarketModel(simulator_settings().market(TEN_O_CLOCK_S), TEN_O_CLOCK_S)
    key_file = request.getfixturevalue("key_file") if "encrypted" in request.param else None
    way = in_memory(market) if request.param == "memory" else over_a_socket(market, key_file)
    async with way as scene:
        yield scene


async def test_every_call_gives_the_markets_values(scene: Scene) -> None:
    """The same immutable values, whichever way they came."""
    gateway, market = scene.gateway, scene.market
    assert gateway.is_connected
    assert await gateway.top_ten_brokers(CODE) == market.table(CODE)
    assert await gateway.top_ten_brokers(CODE, 3) == market.table(CODE, 3)
    state = await gateway.global_state()
    assert (state.market_hk, state.is_ready, state.time_s) == (MarketState.MORNING, True, TEN_O_CLOCK_S)
    infos = await gateway.static_info(CODES)
    assert [(info.code, info.lot_size, info.has_broker_table) for info in infos] == [
        (instrument.code, instrument.lot_size, True) for instrument in market.instruments
    ]
    snapshots = await gateway.market_snapshot(CODES)
    assert snapshots == [
        SecuritySnapshot(
            code=quote.code,
            name=instrument.name,
            lot_size=instrument.lot_size,
            cur_price=quote.cur_price,
            volume=quote.volume,
            turnover=quote.turnover,
            is_suspended=False,
            sec_status=1,
            update_timestamp=quote.updated_s,
        )
        for quote, instrument in zip(map(market.quote, CODES), market.instruments, strict=True)
    ]
    days = await gateway.trade_dates("2026-05-07", "2026-05-11")
    assert days == market.trade_dates(date(2026, 5, 7), date(2026, 5, 11))


@pytest.mark.parametrize(
    ("ret_msg", "error"),
    [("NN_ProtoRet_TimeOut", UpstreamTrouble), ("只支持港股正股和基金", NotHongKong), ("?", GatewayError)],
)
async def test_a_failing_code_raises_what_its_text_means(scene: Scene, ret_msg: str, error: type[GatewayError]) -> None:
    """And other codes go on."""
    scene.misbehaviour.fail_code(CODE, ret_msg)
    with pytest.raises(error, match=ret_msg.replace("?", r"\?")):
        await scene.gateway.top_ten_brokers(CODE)
    await scene.gateway.top_ten_brokers(CODES[1])


async def test_an_unknown_code_is_refused_in_every_call(scene: Scene) -> None:
    """Known ones beside it do not help."""
    gateway = scene.gateway
    with pytest.raises(UnknownCode):
        await gateway.top_ten_brokers("HK.99999")
    with pytest.raises(UnknownCode):
        await gateway.static_info([CODE, "HK.99999"])
    with pytest.raises(UnknownCode):
        await gateway.market_snapshot([CODE, "HK.99999"])


async def test_the_thirty_first_request_is_over_budget(scene: Scene) -> None:
    """Thirty are answered."""
    for _ in range(30):
        await scene.gateway.top_ten_brokers(CODE)
    with pytest.raises(OverBudget):
        await scene.gateway.top_ten_brokers(CODE)


async def test_snapshots_have_their_own_budget_and_need_rights(scene: Scene) -> None:
    """Refused for too many codes, for none allowed, and for being asked once too often: three different things."""
    gateway = scene.gateway
    scene.rules.snapshot_codes = MAX_CODES_BMP
    with pytest.raises(TooManyCodes):
        await gateway.market_snapshot([CODE] * (MAX_CODES_BMP + 1))
    scene.rules.snapshot_codes = 0
    with pytest.raises(NoRights):
        await gateway.market_snapshot([CODE])
    scene.rules.snapshot_codes = MAX_CODES_BMP
    for _ in range(58):
        assert len(await gateway.market_snapshot([CODE] * MAX_CODES_BMP)) == MAX_CODES_BMP
    with pytest.raises(OverBudget):
        await gateway.market_snapshot([CODE])
    await gateway.top_ten_brokers(CODE)


async def test_a_lost_reply_is_a_timeout_and_a_cut_one_a_lost_link(scene: Scene) -> None:
    """Neither is a refusal, and afterwards it is asked again."""
    scene.misbehaviour.drop_replies()
    with pytest.raises(RequestTimeout):
        await scene.gateway.top_ten_brokers(CODE)
    await _connected(scene.gateway)
    scene.misbehaviour.cut_replies()
    with pytest.raises(LinkError):
        await scene.gateway.top_ten_brokers(CODE)
    await _connected(scene.gateway)
    assert await scene.gateway.top_ten_brokers(CODE) == scene.market.table(CODE)


async def _connected(gateway: Gateway) -> None:
    async with asyncio.timeout(10):
        while not gateway.is_connected:
            await asyncio.sleep(0.01)
