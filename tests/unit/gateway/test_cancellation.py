"""Cancelled at any await, nothing is left behind."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from brokertape.gateway import GatewayClient
from brokertape.gateway.messages import ProtoId
from support import scripted_gateway as says
from support.scripted_gateway import ScriptedGateway
from support.waiting import until

TOP_TEN = ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS
STEPS = range(25)  # more turns of the loop than a session takes to open


async def _cancel_after(steps: int, work: Callable[[], Awaitable[object]]) -> None:
    """Start `work` and cancel it after so many turns of the event loop."""

    async def run() -> None:
        await work()

    task = asyncio.create_task(run())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _nothing_left(gateway: ScriptedGateway, tasks: set[asyncio.Task[None]], sockets: int) -> None:
    await until(lambda: not gateway.open_connections)
    await until(lambda: says.open_sockets() == sockets)
    await until(lambda: asyncio.all_tasks() == tasks)


@pytest.mark.parametrize("steps", STEPS)
async def test_a_run_cancelled_anywhere_leaves_no_socket_and_no_task(gateway: ScriptedGateway, steps: int) -> None:
    """While connecting, on InitConnect, with a session, and on its loss."""
    tasks, sockets = asyncio.all_tasks(), says.open_sockets()
    client = GatewayClient(gateway.settings())
    await _cancel_after(steps, client.run)
    assert not client.is_connected
    await _nothing_left(gateway, tasks, sockets)


@pytest.mark.parametrize("steps", STEPS)
async def test_a_run_cancelled_between_attempts_leaves_nothing(gateway: ScriptedGateway, steps: int) -> None:
    """The gateway refuses every time."""
    gateway.scripts[ProtoId.INIT_CONNECT] = lambda _: says.refused()
    tasks, sockets = asyncio.all_tasks(), says.open_sockets()
    await _cancel_after(steps * 3, GatewayClient(gateway.settings()).run)
    await _nothing_left(gateway, tasks, sockets)


@pytest.mark.parametrize("steps", STEPS)
async def test_a_block_cancelled_anywhere_leaves_nothing(gateway: ScriptedGateway, steps: int) -> None:
    """Entering, waiting, calling and leaving alike."""

    async def use() -> None:
        async with GatewayClient(gateway.settings()) as client:
            await client.wait_connected()
            await client.top_ten_brokers("HK.00700")

    tasks, sockets = asyncio.all_tasks(), says.open_sockets()
    await _cancel_after(steps, use)
    await _nothing_left(gateway, tasks, sockets)


@pytest.mark.parametrize("steps", range(6))
async def test_a_call_cancelled_anywhere_disturbs_no_other(gateway: ScriptedGateway, steps: int) -> None:
    """The session goes on, and nothing of the call is kept."""
    async with GatewayClient(gateway.settings()) as client:
        await client.wait_connected(10)
        await _cancel_after(steps, lambda: client.top_ten_brokers("HK.00700"))
        gateway.scripts[TOP_TEN] = lambda _: says.top_ten("B")
        assert (await client.top_ten_brokers("HK.00005")).brokers[0].broker_name == "B"
        session = client._link._session
        assert session is not None
        assert session._waiters == {}
        assert session._exchange.in_flight == 0


@pytest.mark.parametrize("steps", STEPS)
async def test_waiting_for_a_session_may_be_given_up_anywhere(gateway: ScriptedGateway, steps: int) -> None:
    """The client connects all the same."""
    async with GatewayClient(gateway.settings()) as client:
        await _cancel_after(steps, client.wait_connected)
        await client.wait_connected(10)
