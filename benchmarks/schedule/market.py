"""A trading day whose every trade and list change is known beforehand.

The model is ours, not measured: rates between codes fall as a power of their rank, rise towards the open, the early
afternoon and the close, and wander by themselves. Ratios between policies carry over to a real market; seconds less.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

DAY_S = 19_800  # the trading sessions, without the lunch break
STEP_S = 30  # rates stand still for so long
LIST_ROWS = 20  # ten brokers a side
CHANCES = (0.4, 1.0)  # that a trade changes the list, drawn per code
MORE_ROWS = 0.6  # rows that a change touches beyond the first, on average
TOP_ROWS_FIRST = 1.5  # power that bends uniform rows to the top of the list
WANDER_SD, WANDER_S = 0.7, 1800.0  # of the logarithm of a code's rate
CLUSTER_S = 1.0
HEAVY = 10.0
PINNED_CODES, PIN_S = 3, 10.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """What kind of day.

    Args:
        codes: How many codes.
        changes_per_s: List changes a second of all codes together, averaged over the day.
        zipf: Power of the rank by which rates fall.
        is_flat: Whether rates stay what they are all day.
        cluster: Trades that come together, on average, within about a second.
        lag_s: Shortest and longest time from a trade to its list change.
        has_pins: Whether one code in twenty weighs ten and three more may be only 10 s old.
    """

    codes: int
    changes_per_s: float
    zipf: float = 1.0
    is_flat: bool = False
    cluster: float = 1.0
    lag_s: tuple[float, float] = (0.2, 1.0)
    has_pins: bool = False


@dataclass(frozen=True, slots=True)
class Events:
    """Moments in order, and which code (its number) each belongs to."""

    at_s: Floats
    code: Integers

    def __len__(self) -> int:
        return len(self.at_s)

    def of(self, wanted: NDArray[np.bool_]) -> "Events":
        """Those that `wanted` names, one answer an event."""
        return Events(self.at_s[wanted], self.code[wanted])


@dataclass(frozen=True)
class Day:
    """Everything that happens, in order.

    Args:
        scenario: What kind of day it is.
        base_per_s: Mean changes a second, by code.
        rates_per_s: Changes a second, by step and code.
        chances: That a trade changes the list, by code.
        trades: What a quote push or a volume tells of.
        settled: The moment after each trade from which the list shows its change, if it makes one.
        changes: Those moments of trades that do.
        touched: The rows that each change touches, one bit a row.
        weights: Code → weight, of those that weigh other than 1.
        max_staleness_s: Code → seconds, of those that have a promise.
    """

    scenario: Scenario
    base_per_s: Floats
    rates_per_s: Floats
    chances: Floats
    trades: Events
    settled: Events
    changes: Events
    touched: Integers
    weights: dict[str, float]
    max_staleness_s: dict[str, float]

    @cached_property
    def codes(self) -> list[str]:
        """Names by number."""
        return [f"HK.{number:05d}" for number in range(self.scenario.codes)]

    @cached_property
    def number(self) -> dict[str, int]:
        """Numbers by name."""
        return {code: number for number, code in enumerate(self.codes)}

    @cached_property
    def weight_by_number(self) -> Floats:
        """Weights of all codes."""
        return np.array([self.weights.get(code, 1.0) for code in self.codes])

    def rates_at(self, now: float) -> Floats:
        """Changes a second by code, at one moment."""
        row: Floats = self.rates_per_s[min(int(now / STEP_S), len(self.rates_per_s) - 1)]
        return row


def create_day(scenario: Scenario, seed: int) -> Day:
    """The day of this scenario and seed, the same every time."""
    rng = np.random.default_rng([seed, scenario.codes, round(scenario.changes_per_s * 1000)])
    base_per_s = _bases(rng, scenario)
    rates_per_s = base_per_s * _swings(rng, scenario)
    chances = rng.uniform(*CHANCES, scenario.codes)
    trades = _trades(rng, rates_per_s / chances, scenario.cluster)
    settled = _in_order(trades.at_s + rng.uniform(*scenario.lag_s, len(trades)), trades.code)
    changes = settled.of(rng.random(len(settled)) < chances[settled.code])
    touched = _touched(rng, len(changes))
    weights, max_staleness_s = _wishes(rng, scenario)
    return Day(scenario, base_per_s, rates_per_s, chances, trades, settled, changes, touched, weights, max_staleness_s)


def _bases(rng: np.random.Generator, scenario: Scenario) -> Floats:
    shares = np.arange(1, scenario.codes + 1) ** -scenario.zipf
    return rng.permutation(shares / shares.sum() * scenario.changes_per_s)


def _swings(rng: np.random.Generator, scenario: Scenario) -> Floats:
    """Factors around 1 by step and code: the hour of the day, and every code's own wandering."""
    steps = DAY_S // STEP_S
    if scenario.is_flat:
        return np.ones((steps, scenario.codes))
    wander = _wander(rng, steps, scenario.codes)
    return _profile(np.linspace(STEP_S / 2, DAY_S - STEP_S / 2, steps))[:, None] * np.exp(wander - WANDER_SD**2 / 2)


def _profile(at_s: Floats) -> Floats:
    """How busy the whole market is, 1 on average: most at the open, less at the afternoon's, much at the close."""
    afternoon_s = at_s - 9000
    afternoon = np.where(afternoon_s >= 0, 0.8 * np.exp(-afternoon_s / 600), 0)
    busy = 0.5 + 2.5 * np.exp(-at_s / 900) + afternoon + 2 * np.exp(-(DAY_S - at_s) / 900)
    profile: Floats = busy / busy.mean()
    return profile


def _wander(rng: np.random.Generator, steps: int, codes: int) -> Floats:
    """Ornstein-Uhlenbeck paths, which begin as they go on."""
    kept = np.exp(-STEP_S / WANDER_S)
    shocks = WANDER_SD * rng.standard_normal((steps, codes))
    path = np.empty_like(shocks)
    path[0] = shocks[0]
    for step in range(1, steps):
        path[step] = kept * path[step - 1] + np.sqrt(1 - kept**2) * shocks[step]
    return path


def _trades(rng: np.random.Generator, per_s: Floats, cluster: float) -> Events:
    """Poisson arrivals, each of one trade or of a geometric number."""
    counts = rng.poisson(per_s * (STEP_S / cluster))
    step, code = np.nonzero(counts)
    arrivals = np.repeat(np.arange(len(step)), counts[step, code])
    at_s = (step[arrivals] + rng.random(len(arrivals))) * STEP_S
    code = code[arrivals]
    if cluster > 1:
        sizes = rng.geometric(1 / cluster, len(at_s))
        at_s, code = np.repeat(at_s, sizes), np.repeat(code, sizes)
        at_s = at_s + rng.uniform(0, CLUSTER_S, len(at_s))
    return _in_order(at_s, code)


def _in_order(at_s: Floats, code: Integers) -> Events:
    order = np.argsort(at_s, kind="stable")
    events = Events(at_s[order], code[order])
    return events.of(events.at_s < DAY_S)


def _touched(rng: np.random.Generator, changes: int) -> Integers:
    """Bits of the rows that each change touches, those at the top of a side more often."""
    counts = 1 + rng.poisson(MORE_ROWS, changes)
    rows = (LIST_ROWS * rng.random(int(counts.sum())) ** TOP_ROWS_FIRST).astype(np.int64)
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    bits: Integers = np.bitwise_or.reduceat(np.left_shift(1, rows), starts)
    return bits


def _wishes(rng: np.random.Generator, scenario: Scenario) -> tuple[dict[str, float], dict[str, float]]:
    """Weights and promises."""
    if not scenario.has_pins:
        return {}, {}
    heavy = max(1, round(scenario.codes / 20))
    chosen = [f"HK.{number:05d}" for number in rng.choice(scenario.codes, heavy + PINNED_CODES, replace=False)]
    return dict.fromkeys(chosen[:heavy], HEAVY), dict.fromkeys(chosen[heavy:], PIN_S)
