"""Which quotes are to be pushed: kept across sessions, for nothing of it survives a reconnect."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import NoReturn

from google.protobuf.message import Message

from brokertape.gateway import replies, requests
from brokertape.gateway.errors import Refused, TooManyInFlight, UnknownCode
from brokertape.gateway.messages import ProtoId

logger = logging.getLogger(__name__)


class QuoteSubscriptions:
    """The codes whose quotes the gateway pushes; `ask` reaches the session of the moment.

    `new_delays` gives the seconds between attempts at what the gateway refused to subscribe again.
    """

    def __init__(
        self,
        ask: Callable[[ProtoId, Message], Awaitable[Message]],
        new_delays: Callable[[], Iterator[float]],
    ) -> None:
        self._ask = ask
        self._new_delays = new_delays
        self._codes: dict[str, None] = {}  # wanted, in the order they came
        self._missing: set[str] = set()  # of those, what the gateway has not taken again since it may have forgotten
        self._is_stale = asyncio.Event()  # the gateway may have forgotten them
        self._changing = asyncio.Lock()  # else a code could be given back while it is being sent again

    @property
    def codes(self) -> frozenset[str]:
        """The codes subscribed, or to be subscribed again."""
        return frozenset(self._codes)

    @property
    def accepted(self) -> frozenset[str]:
        """The codes whose quotes are pushed now."""
        return frozenset(self._codes.keys() - self._missing)

    def restore(self) -> None:
        """Have `keep` send everything again."""
        self._missing = set(self._codes)
        self._is_stale.set()

    async def subscribe(self, codes: Sequence[str]) -> None:
        """Add codes, a batch at a time; a batch that fails raises and stays out."""
        for batch in _batches(codes):
            async with self._changing:
                await self._send(batch)
                self._codes.update(dict.fromkeys(batch))

    async def unsubscribe(self, codes: Sequence[str]) -> None:
        """Take codes out, a batch at a time; a batch that fails raises and stays in."""
        for batch in _batches(codes):
            async with self._changing:
                reply = await self._ask(ProtoId.QOT_SUB, requests.unsubscribe_quotes(batch))
                replies.subscribed(reply)
                for code in batch:
                    self._drop(code)

    async def keep(self) -> NoReturn:
        """Send everything in a new session, and whenever `restore` asks for it.

        Raises:
            LinkError: The session is over.
        """
        self.restore()
        while True:
            await self._is_stale.wait()
            self._is_stale.clear()
            await self._send_until_accepted()

    async def _send_until_accepted(self) -> None:
        missing = list(self._codes)
        for delay_s in self._new_delays():
            missing = await self._send_again(missing, delay_s)
            if not missing:
                return
            await asyncio.sleep(delay_s)

    async def _send_again(self, codes: Sequence[str], delay_s: float) -> list[str]:
        """Subscribe those of `codes` that are still wanted; which of them have to be tried again."""
        missing: list[str] = []
        for batch in _batches(codes):
            async with self._changing:
                wanted = [code for code in batch if code in self._codes]
                try:
                    await self._send_known(wanted)
                except (Refused, TooManyInFlight) as error:
                    logger.warning("%d quotes not subscribed, next attempt in %.1f s: %s", len(wanted), delay_s, error)
                    missing += [code for code in wanted if code in self._missing]
        return missing

    async def _send_known(self, codes: Sequence[str]) -> None:
        """One unknown code refuses all: the one that is named is dropped or, named or not, what is left of halves."""
        try:
            await self._send(codes)
        except UnknownCode as error:
            unknown = set(error.codes).intersection(codes) or set(codes if len(codes) == 1 else ())
            if unknown:
                logger.warning("no quotes of %s any more: %s", ", ".join(sorted(unknown)), error)
                for code in unknown:
                    self._drop(code)
                await self._send_known([code for code in codes if code not in unknown])
            else:
                middle = len(codes) // 2
                await self._send_known(codes[:middle])
                await self._send_known(codes[middle:])

    async def _send(self, codes: Sequence[str]) -> None:
        if codes:
            replies.subscribed(await self._ask(ProtoId.QOT_SUB, requests.subscribe_quotes(codes)))
            self._missing -= set(codes)

    def _drop(self, code: str) -> None:
        self._codes.pop(code, None)
        self._missing.discard(code)


def _batches(codes: Sequence[str]) -> Iterator[Sequence[str]]:
    return (
        codes[i : i + requests.MAX_SUBSCRIBED_AT_ONCE] for i in range(0, len(codes), requests.MAX_SUBSCRIBED_AT_ONCE)
    )
