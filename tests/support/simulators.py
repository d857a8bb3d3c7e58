"""Simulated gateways for tests: small, on a free port, at a busy hour of a known day."""

from datetime import date
from typing import Any

from brokertape.simulator import SimulatorSettings
from brokertape.simulator.trading_calendar import market_moment

DAY = date(2026, 5, 8)
TEN_O_CLOCK_S = market_moment(DAY, 10 * 3600)
CODES = ("HK.00700", "HK.00005", "HK.02800")


def simulator_settings(**changes: Any) -> SimulatorSettings:
    """Three codes on Friday, 8 May 2026, from ten o'clock; standing still unless a speed is given."""
    values: dict[str, Any] = {"port": 0, "codes": CODES, "start": "2026-05-08T10:00", "speed": 0.0, "trades_per_s": 1.0}
    return SimulatorSettings(**values | changes)
