"""One POST to somebody's URL, and what its answer means. The seam to HTTP."""

import asyncio
import logging
from collections.abc import Mapping

import httpx2

from brokertape.workers.alerts.errors import SinkError
from brokertape.workers.alerts.sinks.message import Refused
from brokertape.workers.errors import SinkUnavailable

for _name in ("httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # they log every URL, which may hold secrets


class Poster:
    """Posts to `url`; `name` is what errors call the sink, for the URL may hold secrets.

    A message is confirmed by an answer of 2xx within `timeout_s`. No answer, 408, 429 and 5xx are troubles that pass;
    any other answer refuses the message. Redirects are not followed.

    Raises:
        SinkError: `url` is none.
    """

    def __init__(self, url: str, *, name: str, timeout_s: float) -> None:
        try:
            self._url = httpx2.URL(url)
        except httpx2.InvalidURL:  # it quotes what may be a part of a password
            raise SinkError(f"sink {name}: its URL cannot be read: write special characters in it as %XX") from None
        self._name = name
        self._timeout_s = timeout_s
        self._client = httpx2.AsyncClient(timeout=timeout_s, follow_redirects=False)

    async def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Post `body`. Raises SinkUnavailable and Refused."""
        try:
            async with asyncio.timeout(self._timeout_s):
                status = await self._post(body, headers)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise SinkUnavailable(f"sink {self._name}: {type(error).__name__}") from error
        if status in (408, 429) or status >= 500:
            raise SinkUnavailable(f"sink {self._name}: it answers {status}")
        if not 200 <= status < 300:
            raise Refused(f"sink {self._name}: it answers {status}")

    async def close(self) -> None:
        """Its connections."""
        await self._client.aclose()

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer; whatever else it says is not read."""
        async with self._client.stream("POST", self._url, content=body, headers=dict(headers)) as answer:
            return int(answer.status_code)
