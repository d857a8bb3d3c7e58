"""The command line as a whole: every command under one name, and how it ends."""

import sys
from importlib import metadata

import typer

from brokertape.cli import faults
from brokertape.cli.commands import alerting, database, dead_letters, reading, running, watching

commands = typer.Typer(
    name="brokertape",
    help="A tape of who is buying and selling Hong Kong stocks.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for part in (running, reading, database):
    commands.add_typer(part.commands)
commands.add_typer(watching.commands, name="watch")
commands.add_typer(dead_letters.commands, name="dead")
commands.add_typer(alerting.commands, name="alert")


def app() -> None:
    """Run the command line and leave with its exit code; what a user can foresee ends in one line."""
    try:
        code = commands(standalone_mode=False) or faults.OK
    except typer.TyperException as error:  # a flag or an argument that cannot be meant
        code = _complain(faults.Fault(error.format_message(), faults.BAD_INPUT))
    except Exception as error:
        fault = faults.fault_of(error)
        if fault is None:
            raise  # ours, with its traceback
        code = _complain(fault)
    sys.exit(code)


def _complain(fault: faults.Fault) -> int:
    line = " ".join(fault.line.split())
    if line:  # none when the help was shown instead
        sys.stderr.write(f"brokertape: {line}\n")
    return fault.exit_code


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"brokertape {metadata.version('brokertape')}")
        raise typer.Exit


@commands.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    pass
