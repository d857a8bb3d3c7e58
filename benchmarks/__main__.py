"""`make bench`: every benchmark, each beside its floor or a peer in the same run. Sizes are arguments."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # servers, proxies and loads are the tests' own

import budget
import pipeline


def main() -> None:
    """Run what was asked for, all by default."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=["pipeline", "budget", []], help="default: all")
    parser.add_argument("--polls", type=int, default=2000, help="pipeline: polls a round")
    parser.add_argument("--rounds", type=int, default=3, help="pipeline: rounds, ours and bare in turn")
    parser.add_argument("--hours", type=int, default=4, help="budget: virtual hours a row")
    parser.add_argument("--real-seconds", type=float, default=300, help="budget: with a real publisher; 0: not")
    arguments = parser.parse_args()
    names = arguments.names or ["pipeline", "budget"]
    if "pipeline" in names:
        pipeline.run(arguments.polls, arguments.rounds)
    if "budget" in names:
        budget.run(arguments.hours, arguments.real_seconds)


if __name__ == "__main__":
    main()
