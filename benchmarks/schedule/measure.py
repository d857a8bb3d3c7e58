"""Many days under every policy, two at a time, averaged over seeds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import exp, log
from multiprocessing import Pool
from statistics import fmean

from schedule.market import Scenario, create_day
from schedule.policies import RoundRobin, oracle_of
from schedule.run import INTERVAL_S, Factory, Outcome, Signals, run_day, sleepy_sends

PROCESSES = 2
ALL_SIGNALS = tuple(Signals)


@dataclass(frozen=True, slots=True)
class Measured:
    """What every policy made of one scenario: of one day, or the mean of several."""

    scenario: Scenario
    user: Outcome
    fair: Outcome
    oracle: Mapping[Signals, Outcome]
    ours: Mapping[Signals, Outcome]

    def to_oracle(self, signals: Signals) -> float:
        """Our mean delay as a multiple of the oracle's with the same signals."""
        return self.ours[signals].mean_s / self.oracle[signals].mean_s

    def to_fair(self, signals: Signals) -> float:
        """Our mean delay as a share of the round-robin's."""
        return self.ours[signals].mean_s / self.fair.mean_s

    @property
    def gap_rounds(self) -> float:
        """Our longest gap without signals, in rounds of all codes."""
        return self.ours[Signals.NONE].gap_s / (self.scenario.codes * INTERVAL_S)


def measure(
    scenarios: Sequence[Scenario], seeds: Sequence[int], factory: Factory, signals: Sequence[Signals] = ALL_SIGNALS
) -> Iterator[Measured]:
    """Each scenario's mean over the seeds, in the order asked for."""
    days = list(product(scenarios, seeds))
    with Pool(PROCESSES) as pool:
        found = pool.imap(partial(_measure_day, factory, signals), days)
        for scenario in scenarios:
            yield _mean(scenario, [next(found) for _ in seeds])


def geometric_mean(ratios: Iterable[float]) -> float:
    """The mean of ratios."""
    return exp(fmean(log(ratio) for ratio in ratios))


def _measure_day(factory: Factory, signals: Sequence[Signals], task: tuple[Scenario, int]) -> Measured:
    scenario, seed = task
    day = create_day(scenario, seed)
    return Measured(
        scenario,
        user=run_day(day, RoundRobin, sends=sleepy_sends(seed)),
        fair=run_day(day, RoundRobin),
        oracle={kind: run_day(day, oracle_of(day), kind) for kind in signals},
        ours={kind: run_day(day, factory, kind) for kind in signals},
    )


def _mean(scenario: Scenario, days: Sequence[Measured]) -> Measured:
    return Measured(
        scenario,
        user=_mean_outcome([day.user for day in days]),
        fair=_mean_outcome([day.fair for day in days]),
        oracle={kind: _mean_outcome([day.oracle[kind] for day in days]) for kind in days[0].oracle},
        ours={kind: _mean_outcome([day.ours[kind] for day in days]) for kind in days[0].ours},
    )


def _mean_outcome(outcomes: Sequence[Outcome]) -> Outcome:
    """Means of means, and of what is a longest: the longest."""
    return Outcome(
        mean_s=fmean(outcome.mean_s for outcome in outcomes),
        p95_s=fmean(outcome.p95_s for outcome in outcomes),
        worst_s=max(outcome.worst_s for outcome in outcomes),
        gap_s=max(outcome.gap_s for outcome in outcomes),
        pinned_gap_s=max(outcome.pinned_gap_s for outcome in outcomes),
    )
