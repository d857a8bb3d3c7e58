"""Prints the brokers that turn from buying to selling or back."""

import argparse
import signal
import sys
from threading import Event as Flag

from broker_bridge import EVENT_BROKER_BOOK, EVENT_BROKER_CHANGE, EVENT_BROKER_ERROR, BrokerBridge, vt_symbol
from vnpy.event import Event, EventEngine

from brokertape.subscriber import State, Update
from brokertape.tape.errors import StoreRefused


def print_book(event: Event) -> None:
    book: State | Update = event.data
    print(f"{vt_symbol(book.code)} {book.kind}", flush=True)


def print_flips(event: Event) -> None:
    update: Update = event.data
    late = " (late)" if update.is_late else ""
    for change in update.changes:
        if "flipped" in change.kinds and change.before and change.after:
            volumes = f"{change.before.net_vol:+,} → {change.after.net_vol:+,}"
            print(f"{vt_symbol(update.code)} {change.broker_name} {volumes}{late}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the Redis that holds the tape")
    parser.add_argument("codes", nargs="+", help="as in HK.00700")
    asked = parser.parse_args()
    engine, ended, errors = EventEngine(), Flag(), list[Exception]()

    def fail(event: Event) -> None:
        errors.append(event.data)
        ended.set()

    try:
        bridge = BrokerBridge(engine, asked.url, asked.codes)
    except StoreRefused as error:
        parser.error(str(error))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    engine.register(EVENT_BROKER_BOOK, print_book)
    engine.register(EVENT_BROKER_CHANGE, print_flips)
    engine.register(EVENT_BROKER_ERROR, fail)
    engine.start()
    bridge.start()
    ended.wait()
    bridge.stop()
    engine.stop()
    for cause in errors:
        print(f"flips: {cause}", file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
