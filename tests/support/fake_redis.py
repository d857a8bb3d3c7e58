"""fakeredis with the one command our scripts need and it lacks: INFO server."""

import fakeredis
from fakeredis._commands import command
from fakeredis.commands_mixins.server_mixin import ServerCommandsMixin

FIRST_RUN_ID = "f" * 40


@command((), (bytes,))
def info(self: ServerCommandsMixin, *_sections: bytes) -> bytes:
    """The part of INFO that names the server; a test changes `run_id` to play a restart."""
    run_id = getattr(self._server, "run_id", FIRST_RUN_ID)
    return f"# Server\r\nredis_version:7.0.15\r\nrun_id:{run_id}\r\n".encode()


setattr(ServerCommandsMixin, info.__name__, info)


def fake_redis(server: fakeredis.FakeServer | None = None) -> fakeredis.FakeAsyncRedis:
    """A client of `server`, or of a new, empty one."""
    return fakeredis.FakeAsyncRedis(server=server or fakeredis.FakeServer(), legacy_responses=False)
