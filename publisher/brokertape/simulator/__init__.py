"""A faithful simulated gateway for demos, tests and benchmarks: a market model behind the real protocol."""

from brokertape.simulator.fixed_market import FixedMarket
from brokertape.simulator.given_answer import GivenAnswer
from brokertape.simulator.in_memory import InMemoryGateway
from brokertape.simulator.instruments import Instrument
from brokertape.simulator.market import Market, Quote
from brokertape.simulator.market_model import MarketModel, MarketSettings, Restatement, Suspension
from brokertape.simulator.misbehaviour import Misbehaviour
from brokertape.simulator.rules import Limits
from brokertape.simulator.server import GatewayServer, serve
from brokertape.simulator.settings import SimulatorSettings
from brokertape.simulator.texts import Language
from brokertape.simulator.trading_calendar import TradingCalendar

__all__ = [
    "FixedMarket",
    "GatewayServer",
    "GivenAnswer",
    "InMemoryGateway",
    "Instrument",
    "Language",
    "Limits",
    "Market",
    "MarketModel",
    "MarketSettings",
    "Misbehaviour",
    "Quote",
    "Restatement",
    "SimulatorSettings",
    "Suspension",
    "TradingCalendar",
    "serve",
]
