"""`make bench`: every benchmark, each beside its floor or a peer in the same run. Sizes are arguments."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # servers, proxies and loads are the tests' own

import alert_delay
import alerts
import budget
import freshness
import history
import latency
import pipeline
import schedule.report
import storage
import subscriber
import workers
from brokertape.publisher.schedule import Schedule

NAMES = (
    *("pipeline", "latency", "subscriber", "workers", "storage"),
    *("alerts", "budget", "history", "schedule", "freshness"),
)


def numbers(text: str) -> list[int]:
    """Whole numbers between commas."""
    return [int(number) for number in text.split(",")]


def parser() -> argparse.ArgumentParser:
    """Names and sizes."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help="default: all")
    parser.add_argument("--polls", type=int, default=2000, help="pipeline: polls a round")
    parser.add_argument("--rounds", type=int, default=3, help="pipeline: rounds, ours and bare in turn")
    parser.add_argument("--events", type=int, default=600, help="latency: events of ours, and as many bare")
    parser.add_argument("--turns", type=int, default=8, help="latency: in so many turns")
    parser.add_argument("--rate", type=float, default=100, help="latency: events a second")
    parser.add_argument("--codes", type=int, default=30, help="latency: codes that the subscriber follows")
    parser.add_argument("--tape", type=int, default=20_000, help="subscriber: events on the tape it reads")
    parser.add_argument("--readings", type=int, default=3, help="subscriber: how often it is read")
    parser.add_argument("--books", type=int, default=300, help="subscriber: codes whose memory is measured")
    parser.add_argument("--starts", type=int, default=5, help="subscriber: starts, of which the best counts")
    parser.add_argument("--consumed", type=int, default=20_000, help="workers: events on the tape")
    parser.add_argument("--stored", type=int, default=20_000, help="storage: events on the tape")
    parser.add_argument("--passes", type=int, default=3, help="workers, storage, alerts: rounds, every way in turn")
    parser.add_argument("--judged", type=int, default=2_000, help="alerts: events that a hundred rules judge")
    parser.add_argument("--windows", type=int, default=10_000, help="alerts: open windows that are weighed")
    parser.add_argument("--told", type=int, default=200, help="alerts: events whose way to a webhook is timed")
    parser.add_argument("--hours", type=int, default=4, help="budget: virtual hours a row")
    parser.add_argument("--shared-hours", type=int, default=1, help="budget: the same of rows with a window in Redis")
    parser.add_argument("--real-seconds", type=float, default=300, help="budget: with a real publisher; 0: not")
    parser.add_argument("--minute", type=float, default=60, help="history: seconds of a real publisher; 0: not")
    parser.add_argument("--seeds", type=numbers, default="11,12,13", help="schedule: the days of each cell")
    parser.add_argument("--cells", choices=schedule.report.CELLS, default="few", help="schedule: how much is run")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="schedule: draw the delays into an SVG file")
    parser.add_argument("--minutes", type=float, default=7, help="freshness: real minutes a seed; by default 21 in all")
    parser.add_argument("--fresh-seeds", type=numbers, default="21,22,23", help="freshness: the markets, one by one")
    parser.add_argument("--blind", action="store_true", help="freshness: also without market snapshots, side by side")
    return parser


def main() -> None:
    """Run what was asked for, all by default."""
    arguments = parser().parse_args()
    names = arguments.names or NAMES
    if "pipeline" in names:
        pipeline.run(arguments.polls, arguments.rounds)
    if "latency" in names:
        latency.run(arguments.events, arguments.turns, arguments.rate, arguments.codes)
    if "subscriber" in names:
        subscriber.run(arguments.tape, arguments.readings, arguments.books, arguments.starts)
    if "workers" in names:
        workers.run(arguments.consumed, arguments.passes)
    if "storage" in names:
        storage.run(arguments.stored, arguments.passes)
    if "alerts" in names:
        alerts.run(arguments.judged, arguments.passes, arguments.windows)
        alert_delay.run(arguments.told)
    if "budget" in names:
        budget.run(arguments.hours, arguments.shared_hours, arguments.real_seconds)
    if "history" in names:
        history.run(arguments.hours, arguments.minute)
    if "schedule" in names:
        schedule.report.run(arguments.seeds, Schedule, arguments.cells, arguments.plot)
    if "freshness" in names:
        freshness.run(arguments.minutes, arguments.fresh_seeds, arguments.blind)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
