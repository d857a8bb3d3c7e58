"""The record of every 3247 answer given, so that whoever checks can compare what was sent with what was stored."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from brokertape.simulator.rules import TopTenReply


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """One answer, refusals included. Times in ms since 1970: when the request was received, when the answer left."""

    received_ms: int
    sent_ms: int
    connection: str
    code: str
    days_before: int
    reply: TopTenReply

    def as_json(self) -> bytes:
        """One line of the log, without its end; a number the answer left out is null."""
        return orjson.dumps(self._fields())

    def _fields(self) -> dict[str, Any]:
        table = self.reply.table
        return {
            "received_ms": self.received_ms,
            "sent_ms": self.sent_ms,
            "connection": self.connection,
            "code": self.code,
            "days_before": self.days_before,
            "ret_type": self.reply.ret_type,
            "ret_msg": self.reply.ret_msg,
            "data_time": table.data_time if table else None,
            "brokers": [asdict(item) for item in table.brokers] if table else [],
        }


class AnswerLog:
    """A file of JSON lines, appended to; every line is handed to the system before `write` returns.

    Raises:
        OSError: On construction, when the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, answer: GivenAnswer) -> None:
        """Append one answer."""
        self._file.write(answer.as_json() + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
