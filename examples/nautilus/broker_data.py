"""Broker changes of a brokertape as custom data of a NautilusTrader node (2.0): subscribe to `broker_events(code)`."""

import asyncio
from dataclasses import dataclass

from nautilus_trader.common import Clock
from nautilus_trader.config import DataClientConfig
from nautilus_trader.live import ClientCache, SubscribeCustomData, UnsubscribeCustomData
from nautilus_trader.live.clients import DataClient, DataClientFactory
from nautilus_trader.model import ClientId, CustomData, DataType

from brokertape.subscriber import Event, State, Subscription, Update, subscribe

CLIENT_ID = ClientId("BROKERTAPE")


@dataclass(frozen=True, slots=True)
class BrokerEvent:
    """What a subscriber of the tape is told; `event.kind` says what happened. Times are ns since 1970.

    It passes through the node as it is. To keep it in a catalog, make it a `customdataclass` of plain fields.
    """

    event: Event
    ts_event: int  # when the list was seen; of what is no list, when it was told
    ts_init: int


def broker_events(code: str) -> DataType:
    """Everything of one code, as in `HK.00700`: its list as it stands first, then what comes."""
    return DataType(BrokerEvent.__name__, identifier=code)


class BrokerTapeConfig(DataClientConfig):
    """Where the tape is, and after how many seconds a list that nobody looked at is stale."""

    def __init__(self, *, url: str, max_age: float = 30.0) -> None:
        self.url = url
        self.max_age = max_age


class BrokerTapeClient(DataClient):
    """Follows a code while it is subscribed, over a connection per code. The node logs how a failed one ended."""

    def __init__(self, *, name: str, config: BrokerTapeConfig, cache: ClientCache, clock: Clock) -> None:
        super().__init__(name=name, config=config, cache=cache, clock=clock)
        self._url = config.url
        self._max_age = config.max_age
        self._following: dict[str, asyncio.Task[object]] = {}

    async def _connect(self) -> None:
        """Nothing to do: a connection is made when a code is subscribed, so that nothing is told before."""

    async def _disconnect(self) -> None:
        for code in list(self._following):
            await self._leave(code)

    async def _subscribe(self, command: SubscribeCustomData) -> None:
        code = command.data_type.identifier or ""
        await self._leave(code)
        tape = subscribe(self._url, code, max_age=self._max_age)
        self._following[code] = self.create_task(self._follow(tape, command.data_type), f"brokertape {code}")

    async def _unsubscribe(self, command: UnsubscribeCustomData) -> None:
        await self._leave(command.data_type.identifier or "")

    async def _leave(self, code: str) -> None:
        task = self._following.pop(code, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])  # until publishers are told that nobody asks any more

    async def _follow(self, tape: Subscription, data_type: DataType) -> None:
        async with tape:
            async for event in tape:
                self._handle_data(CustomData(data_type, self._stamped(event)))

    def _stamped(self, event: Event) -> BrokerEvent:
        now = self.clock.timestamp_ns()
        book = event.book if isinstance(event, Update | State) else None
        return BrokerEvent(event, now if book is None else book.observed_at * 1_000_000, now)


class BrokerTapeFactory(DataClientFactory):
    """Makes the node's client."""

    @staticmethod
    def create(*, name: str, config: DataClientConfig, cache: ClientCache, clock: Clock) -> DataClient:
        if not isinstance(config, BrokerTapeConfig):
            raise TypeError(f"BrokerTapeConfig, not {type(config).__name__}")
        return BrokerTapeClient(name=name, config=config, cache=cache, clock=clock)
