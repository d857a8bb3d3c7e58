"""Reaching the gateway that is set, and telling a wrong RSA key from a gateway that is merely away."""

import asyncio

from brokertape.cli.faults import WrongKey
from brokertape.cli.settings import GatewayGroup, host_and_port
from brokertape.gateway.counters import GatewayCounters
from brokertape.gateway.encryption import PacketEncAlgo, RsaCipher
from brokertape.gateway.errors import GatewayError, InitRefused, LinkLost, WrongDigest
from brokertape.gateway.exchange import Push
from brokertape.gateway.opening import Opening
from brokertape.gateway.session import open_session
from brokertape.gateway.settings import GatewaySettings

KEY_TRIALS = 3  # a gateway that is just ending closes connections too
KEY_TRIAL_PAUSE_S = 0.3


def gateway_settings(settings: GatewayGroup) -> GatewaySettings:
    """The client's settings.

    Raises:
        InvalidSettings: One of them cannot be meant; one line that says which.
    """
    host, port = host_and_port(settings.address)
    return GatewaySettings(
        host=host,
        port=port,
        connect_timeout_s=settings.connect_timeout_s,
        request_timeout_s=settings.request_timeout_s,
        reconnect_first_s=settings.reconnect_first_s,
        reconnect_max_s=settings.reconnect_max_s,
        rsa_key_file=settings.rsa_key_file,
        packet_enc_algo=PacketEncAlgo[settings.packet_enc_algo] if settings.packet_enc_algo else None,
    )


async def check_key(settings: GatewaySettings) -> None:
    """Open a session once to see whether the RSA key fits, if one is set. Other trouble is the client's to live with.

    Raises:
        WrongKey: The gateway's key is another one.
    """
    if settings.rsa_key_file is None:
        return
    for _ in range(KEY_TRIALS):
        error = await opening_fault(settings)
        if isinstance(error, InitRefused) and isinstance(error.__cause__, WrongDigest):
            break
        if not isinstance(error, LinkLost):  # which is what a gateway that cannot read InitConnect does
            return
        await asyncio.sleep(KEY_TRIAL_PAUSE_S)
    raise WrongKey(f"gateway {settings.address}: {error}; the key that is set is {settings.rsa_key_file}")


async def opening_fault(settings: GatewaySettings) -> GatewayError | None:
    """What comes of opening a session: None if it opens."""
    rsa = RsaCipher.from_file(settings.rsa_key_file) if settings.rsa_key_file else None
    opening = Opening(settings.client_id, settings.encryption, rsa)
    try:
        async with open_session(settings, opening, GatewayCounters(), _ignore):
            return None
    except GatewayError as error:
        return error


def _ignore(_push: Push) -> None:
    pass
