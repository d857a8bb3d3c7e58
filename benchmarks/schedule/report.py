"""How soon the schedule finds what changed, beside a plain round and beside one that knows the future's rates.

A model of the market, not a market: ratios carry over, seconds less so. Polls are answered at once and none fails.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from schedule.market import PIN_S, Scenario
from schedule.measure import Measured, geometric_mean, measure
from schedule.plot import delay_chart
from schedule.run import Factory, Signals

CODES, CHANGES_PER_S = (30, 60, 120, 300), (0.5, 2.0, 10.0)
GRID = [Scenario(codes, changes_per_s) for codes, changes_per_s in product(CODES, CHANGES_PER_S)]
FEW = [Scenario(codes, changes_per_s) for codes, changes_per_s in product((60, 300), (0.5, 10.0))]
CELLS = ("few", "grid", "all")
BARS = {Signals.NONE: (1.10, 0.67), Signals.PUSH: (1.25, 0.36), Signals.BULK: (1.35, 0.29)}
GAP_ROUNDS, WORST_BLIND = 2.05, 1.20
OTHER_DAYS: dict[str, Callable[[Scenario], Scenario]] = {
    "the same days": lambda scenario: scenario,
    "flat day": lambda scenario: replace(scenario, is_flat=True),
    "zipf 0.7": lambda scenario: replace(scenario, zipf=0.7),
    "zipf 1.4": lambda scenario: replace(scenario, zipf=1.4),
    "trades in clusters of 4": lambda scenario: replace(scenario, cluster=4.0),
    "list 1-3 s late": lambda scenario: replace(scenario, lag_s=(1.0, 3.0)),
    "list 5-15 s late": lambda scenario: replace(scenario, lag_s=(5.0, 15.0)),
}


def run(seeds: Sequence[int], factory: Factory, cells: str, plot: Path | None) -> None:
    """Print the table, its means beside their bars, and what promises do; of `all`, what other days do as well.

    Args:
        seeds: Days of each cell. The bars are meant for days that nothing was tuned on.
        factory: Makes the schedule that is measured.
        cells: One of `CELLS`.
        plot: File for a picture of the table.
    """
    print(f"\nschedule, virtual days of seeds {', '.join(map(str, seeds))}: mean delay of a change in seconds")
    table = _table(FEW if cells == "few" else GRID, seeds, factory)
    _means(table)
    _tails(table)
    _promises(seeds, factory)
    if cells == "all":
        _other_days(seeds, factory)
    if plot is not None:
        plot.write_text(delay_chart(table))
        print(f"\n{plot} written")


def _table(scenarios: Sequence[Scenario], seeds: Sequence[int], factory: Factory) -> list[Measured]:
    ours = "".join(f" {name:>9} {'/oracle':>7}" for name in ("ours", "push 100", "bulk 1 s"))
    print(f"{'codes':>5} {'changes/s':>9} {'user loop':>9} {'round-robin':>11} {'oracle':>7}{ours}")
    table = []
    for cell in measure(scenarios, seeds, factory):
        table.append(cell)
        ours = "".join(f" {cell.ours[kind].mean_s:>9.1f} {cell.to_oracle(kind):>7.2f}" for kind in Signals)
        print(
            f"{cell.scenario.codes:>5} {cell.scenario.changes_per_s:>9} {cell.user.mean_s:>9.1f} "
            f"{cell.fair.mean_s:>11.1f} {cell.oracle[Signals.NONE].mean_s:>7.1f}{ours}",
            flush=True,
        )
    return table


def _means(table: Sequence[Measured]) -> None:
    print(f"geometric means over {len(table)} cells; the bars are those of all {len(GRID)}")
    for kind, (oracle_bar, fair_bar) in BARS.items():
        to_oracle = geometric_mean(cell.to_oracle(kind) for cell in table)
        to_fair = geometric_mean(cell.to_fair(kind) for cell in table)
        print(
            f"  signals {kind:<5} to the oracle {to_oracle:>6.3f} (at most {oracle_bar:.2f})"
            f"   to round-robin {to_fair:>6.3f} (at most {fair_bar:.2f})"
        )
    worst = max(cell.to_oracle(Signals.NONE) for cell in table)
    rounds = max(cell.gap_rounds for cell in table)
    print(f"  no signals: worst cell {worst:.2f} (at most {WORST_BLIND:.2f})", end="")
    print(f"   longest gap {rounds:.2f} rounds (at most {GAP_ROUNDS})")


def _tails(table: Sequence[Measured]) -> None:
    print("what the mean does not show, in seconds: 95th percentile and longest of round-robin, ours, push, bulk")
    for cell in table:
        outcomes = [cell.fair, *cell.ours.values()]
        p95 = "".join(f" {outcome.p95_s:>7.0f}" for outcome in outcomes)
        worst = "".join(f" {outcome.worst_s:>7.0f}" for outcome in outcomes)
        print(f"{cell.scenario.codes:>5} {cell.scenario.changes_per_s:>9}{p95}    {worst}")


def _promises(seeds: Sequence[int], factory: Factory) -> None:
    print("one code in twenty weighs ten, three more are promised to be polled every 10 s")
    for cell in measure([replace(scenario, has_pins=True) for scenario in FEW], seeds, factory, [Signals.NONE]):
        gap_s = cell.ours[Signals.NONE].pinned_gap_s
        print(
            f"{cell.scenario.codes:>5} {cell.scenario.changes_per_s:>9}"
            f"   to the oracle {cell.to_oracle(Signals.NONE):.2f}"
            f"   longest promised gap {gap_s:.2f} s (at most {PIN_S:.0f})"
        )


def _other_days(seeds: Sequence[int], factory: Factory) -> None:
    print(f"other days: geometric means over {len(FEW)} cells, to the oracle and to round-robin")
    for name, vary in OTHER_DAYS.items():
        cells = list(measure([vary(scenario) for scenario in FEW], seeds, factory))
        means = "".join(
            f"   {kind:<5}{geometric_mean(cell.to_oracle(kind) for cell in cells):>6.2f}"
            f"{geometric_mean(cell.to_fair(kind) for cell in cells):>6.2f}"
            for kind in Signals
        )
        print(f"  {name:<24}{means}", flush=True)
