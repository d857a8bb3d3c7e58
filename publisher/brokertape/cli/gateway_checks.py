"""What `doctor` looks at in the gateway."""

import time
from collections.abc import AsyncIterator, Callable

from brokertape.cli.check import Check, Verdict
from brokertape.cli.gateway_link import opening_fault
from brokertape.cli.redis_checks import clock_check
from brokertape.gateway.client import GatewayClient
from brokertape.gateway.errors import ConnectFailed, GatewayError, LinkLost, NoRights, OverBudget, RequestTimeout
from brokertape.gateway.settings import GatewaySettings
from brokertape.gateway.values import GlobalState
from brokertape.publisher.budget import Budget
from brokertape.tape.errors import StoreError

PROBE_CODE = "HK.00700"


async def gateway_checks(
    settings: GatewaySettings, budget_of: Callable[[GatewayClient], Budget] | None
) -> AsyncIterator[Check]:
    """From reaching it to one answer of the table, for which the budget of its account grants the request."""
    fault = await opening_fault(settings)
    yield opening_check(settings, fault)
    if fault is not None:
        return
    yield Check("gateway encryption", Verdict.OK, settings.encryption.name)
    async with GatewayClient(settings) as client:
        try:
            await client.wait_connected(settings.connect_timeout_s)
            state = await client.global_state()
        except GatewayError as error:
            yield Check("gateway state", Verdict.FAILED, str(error), "try again; see the gateway's own window or log")
            return
        yield login_check(state)
        # It tells whole seconds. Nothing but the ages on a screen rests on it.
        yield clock_check("gateway clock", 1000 * state.time_s + 500 - 1000 * time.time(), if_wrong=Verdict.NOTE)
        yield await _rights_check(client, budget_of(client) if budget_of is not None else None)


def opening_check(settings: GatewaySettings, fault: GatewayError | None) -> Check:
    """Whether a session opens, and if not, what is in the way."""
    match fault:
        case None:
            return Check("gateway", Verdict.OK, f"{settings.address} lets us in")
        case ConnectFailed():
            advice = "start OpenD and let it log in (it listens only then); check host, port and firewall"
        case LinkLost():
            advice = "set gateway.rsa_key_file to the key that OpenD is set up with, or to none if it has none"
        case RequestTimeout():
            advice = "whatever listens there does not speak the gateway's protocol: check the port (api_port)"
        case _:
            advice = "see the gateway's own window or log"
    return Check("gateway", Verdict.FAILED, str(fault), advice)


def login_check(state: GlobalState) -> Check:
    """Whether it is logged in to its quote server."""
    if state.is_ready:
        return Check("gateway login", Verdict.OK, f"logged in, market {state.market_hk.name}")
    reason = state.program_status_desc or "not logged in to the quote server"
    return Check("gateway login", Verdict.FAILED, reason, "log in at the gateway; it may want a code by phone")


async def _rights_check(client: GatewayClient, budget: Budget | None) -> Check:
    """One answer of the table tells more than any list of rights."""
    if budget is None:
        return Check("gateway rights", Verdict.SKIPPED, "one request of the budget is needed, and that is in Redis")
    try:
        slot = await budget.acquire()
        async with slot:
            table = await client.top_ten_brokers(PROBE_CODE)
    except NoRights as error:
        return Check("gateway rights", Verdict.FAILED, str(error), "the account needs Hong Kong quotes, LV1 or better")
    except OverBudget as error:
        return Check("gateway rights", Verdict.NOTE, str(error), "somebody else uses this account outside the budget")
    except (GatewayError, StoreError) as error:
        return Check("gateway rights", Verdict.FAILED, str(error))
    return Check("gateway rights", Verdict.OK, f"{PROBE_CODE}: {len(table.brokers)} brokers")
