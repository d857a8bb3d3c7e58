"""Log lines on standard error: key=value for a person on a terminal, one JSON object a line for a machine.

The libraries log with the standard library; structlog writes the lines.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from brokertape.cli.settings import LogGroup

Line = MutableMapping[str, Any]

# To the last @ of the word: one that belongs to the password should be quoted, and may not be.
_PASSWORD = re.compile(r"(?<=://)([^\s:/@\"']*):[^\s\"']*@")


def set_up_logs(settings: LogGroup) -> None:
    """Send what is logged from now on to standard error."""
    is_console = sys.stderr.isatty() if settings.format == "auto" else settings.format == "console"
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=not is_console),
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(is_console)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())


def _renderers(is_console: bool) -> list[structlog.typing.Processor]:
    # Plain tracebacks: the pretty ones show the values of variables, passwords among them.
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    machine = structlog.processors.JSONRenderer(ensure_ascii=False)
    return [structlog.processors.format_exc_info, _without_passwords, console if is_console else machine]


def _without_passwords(_logger: Any, _method: str, line: Line) -> Line:
    """The last look before a line leaves: no URL in it keeps its password, whoever wrote it."""
    return {name: without_passwords(value) if isinstance(value, str) else value for name, value in line.items()}


def without_passwords(text: str) -> str:
    """`text` with `user:***@` in its URLs."""
    return _PASSWORD.sub(r"\1:***@", text)
