"""Starting what a command does: settings read, logs set up, signals minded."""

import logging
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import typer

from brokertape.cli import faults, flags
from brokertape.cli.logs import set_up_logs
from brokertape.cli.running import run, unless_stopped
from brokertape.cli.settings import LogGroup, Settings
from brokertape.cli.settings_sources import load_settings, unknown_variables

logger = logging.getLogger("brokertape.cli")


def start(context: typer.Context, work: Callable[..., Coroutine[Any, Any, int | None]]) -> int:
    """Run `work(settings, stop)` with the settings of the command line; its exit code."""
    settings = _settings(context)
    return print_answer(lambda: run(lambda stop: work(settings, stop)))


def start_short(context: typer.Context, work: Callable[..., Coroutine[Any, Any, int]]) -> int:
    """Run `work(settings)`, which a signal cuts short."""
    return start(context, lambda settings, stop: unless_stopped(work(settings), stop))


def print_answer(work: Callable[[], int]) -> int:
    """Do `work`, which prints; its exit code."""
    try:
        return work()
    except BrokenPipeError:  # `brokertape tail | head`: whoever read has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return faults.OK


def _settings(context: typer.Context) -> Settings:
    settings = load_settings(flags.flags_of(context), context.params.get("config"))
    # A command that prints an answer says nothing beside it but what is wrong.
    set_up_logs(settings.log if "log_level" in context.params else LogGroup(level="warning"))
    for name in unknown_variables():
        logger.warning("%s is no setting: ignored", name)
    return settings
