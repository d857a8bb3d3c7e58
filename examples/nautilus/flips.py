"""A node whose actor prints what brokers do, and which of them turn from buying to selling or back."""

import argparse
from collections.abc import Iterable

from broker_data import CLIENT_ID, BrokerTapeConfig, BrokerTapeFactory, broker_events
from nautilus_trader.common import DataActor, DataActorConfig, Environment, LoggerConfig, LogLevel
from nautilus_trader.live import LiveNode
from nautilus_trader.model import ActorId, CustomData, TraderId

from brokertape.subscriber import Event, Update


class Flips(DataActor):
    """Prints every event of its codes, and which brokers turned from buying to selling or back."""

    def __init__(self, codes: Iterable[str]) -> None:
        super().__init__(DataActorConfig(actor_id=ActorId("FLIPS-001")))
        self._codes = tuple(codes)

    def on_start(self) -> None:
        for code in self._codes:
            self.subscribe_data(broker_events(code), client_id=CLIENT_ID)

    def on_data(self, data: CustomData) -> None:
        event: Event = data.data.event
        print(event.kind, *flips(event), sep=" | ", flush=True)


def flips(event: Event) -> Iterable[str]:
    if not isinstance(event, Update):
        return
    yield event.event.id
    for change in event.changes:
        if "flipped" in change.kinds and change.before and change.after:
            yield f"{change.broker_name} {change.before.net_vol:+,} → {change.after.net_vol:+,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the Redis that holds the tape")
    parser.add_argument("codes", nargs="+", help="as in HK.00700")
    asked = parser.parse_args()
    node = (
        LiveNode.builder("FLIPS", TraderId("FLIPS-001"), Environment.LIVE)
        .with_logging(LoggerConfig(stdout_level=LogLevel.WARNING))
        .with_delay_post_stop_secs(0)
        .with_delay_shutdown_secs(0)
        .add_data_client(CLIENT_ID.value, BrokerTapeFactory(), BrokerTapeConfig(url=asked.url))
        .build()
    )
    node.add_actor(Flips(asked.codes))
    node.run()  # until Ctrl-C


if __name__ == "__main__":
    main()
