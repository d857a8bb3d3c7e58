"""`brokertape simulate`: the simulated gateway, from settings."""

import asyncio
import logging
import sys
from dataclasses import fields
from functools import partial

from brokertape.cli.settings import Settings, SimulateGroup
from brokertape.simulator.server import GatewayServer, serve
from brokertape.simulator.settings import SimulatorSettings
from brokertape.simulator.texts import Language

logger = logging.getLogger("brokertape.cli.simulate")


async def simulate(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set.

    Raises:
        InvalidSettings: One of the settings cannot be meant, or it cannot listen.
    """
    await serve(simulator_settings(settings.simulate), stop, ready=partial(_tell, settings.simulate.host))
    logger.info("stopped")


def simulator_settings(settings: SimulateGroup) -> SimulatorSettings:
    """The simulator's own settings; its default codes are its own affair."""
    values = {field.name: getattr(settings, field.name) for field in fields(SimulatorSettings)}
    values["language"] = Language(settings.language)
    if values["codes"] is None:
        del values["codes"]
    return SimulatorSettings(**values)


def _tell(host: str, server: GatewayServer) -> None:
    address = f"[{host}]:{server.port}" if ":" in host else f"{host}:{server.port}"
    sys.stdout.write(f"{address}\n")  # for whoever started it on any free port
    sys.stdout.flush()
    logger.info("listening on %s", address)
