"""fakeredis with what our scripts need and it lacks: INFO server, and TIME by a clock that a test sets."""

import time as wall
from collections.abc import Callable

import fakeredis
from fakeredis._commands import command
from fakeredis.commands_mixins.server_mixin import ServerCommandsMixin

FIRST_RUN_ID = "f" * 40


@command((), (bytes,))
def info(self: ServerCommandsMixin, *_sections: bytes) -> bytes:
    """The part of INFO that names the server; a test changes `run_id` to play a restart."""
    run_id = getattr(self._server, "run_id", FIRST_RUN_ID)
    return f"# Server\r\nredis_version:7.0.15\r\nrun_id:{run_id}\r\n".encode()


@command(())
def time(self: ServerCommandsMixin) -> list[bytes]:
    """The server's clock, in s and µs."""
    now_us = round(getattr(self._server, "now_s", wall.time)() * 1_000_000)
    return [b"%d" % part for part in divmod(now_us, 1_000_000)]


for own in (info, time):
    setattr(ServerCommandsMixin, own.__name__, own)


def fake_redis(
    server: fakeredis.FakeServer | None = None, now_s: Callable[[], float] | None = None
) -> fakeredis.FakeAsyncRedis:
    """A client of `server`, or of a new, empty one; `now_s` is its clock from now on, else it is the wall's.

    That is what TIME tells. Keys and streams go by the wall's clock all the same.
    """
    server = server or fakeredis.FakeServer()
    if now_s is not None:
        setattr(server, "now_s", now_s)  # noqa: B010 - mypy knows no such attribute
    return fakeredis.FakeAsyncRedis(server=server, legacy_responses=False)
