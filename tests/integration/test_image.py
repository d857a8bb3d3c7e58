"""The image's steps, run where they can be: in a clean environment, by somebody without rights.

What only an engine could show, and is not shown here: that the base image has what these steps need, that the layers
are built, and what the kernel's isolation forbids.
"""

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from brokertape.cli.redis_server import RedisServer
from support.servers import IS_CI
from support.source_tree import PROJECT
from support.waiting import until

pytestmark = pytest.mark.wheel

DOCKERFILE = (PROJECT / "deploy" / "Dockerfile").read_text().replace("\\\n", "")
BUILD, FINAL = re.split(r"(?m)^FROM ", DOCKERFILE)[1:]
NOBODY = pwd.getpwnam("nobody")


def base_python() -> Path:
    """An interpreter that whoever has no rights may run: as root, ours may lie where nobody else looks."""
    system = Path("/usr/bin/python3")
    if os.geteuid() != 0:
        return Path(sys.executable)
    has_venv = [str(system), "-c", "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"]
    if system.exists() and subprocess.run(has_venv, check=False, stderr=subprocess.DEVNULL).returncode == 0:
        return system
    assert not IS_CI, "CI has no /usr/bin/python3 of 3.11 or newer with venv"
    pytest.skip("no /usr/bin/python3 of 3.11 or newer with venv here: apt install python3-venv")


class Image:
    """What the build stage makes, in `directory` instead of the root of a file system."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._source = directory / "src"
        self._source.mkdir()
        (directory / "base").mkdir()
        (directory / "base" / "python").symlink_to(base_python())

    def build(self) -> None:
        """Step by step, as the file says."""
        for line in BUILD.splitlines():
            word, _, rest = line.partition(" ")
            if word == "COPY":
                self._copy(*rest.split())
            elif word == "RUN":
                self.run("sh", "-c", rest.replace("/opt/brokertape", str(self.directory / "opt")))

    def run(self, *command: str, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """A command by somebody without rights, who has none of our environment."""
        result = self.start(*command, env=env)
        out, err = result.communicate(timeout=300)
        assert result.returncode == 0, out + err
        return subprocess.CompletedProcess(command, result.returncode, out, err)

    def start(self, *command: str, env: dict[str, str] | None = None) -> "subprocess.Popen[str]":
        """Likewise, and go on beside it."""
        is_root = os.geteuid() == 0
        path = f"{self.directory / 'opt' / 'bin'}:{self.directory / 'base'}:/usr/bin:/bin"
        return subprocess.Popen(
            command,
            cwd=self._source,
            env={"PATH": path, "HOME": str(self.directory), **(env or {})},
            user=NOBODY.pw_uid if is_root else None,
            group=NOBODY.pw_gid if is_root else None,
            extra_groups=[] if is_root else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _copy(self, *paths: str) -> None:
        *sources, target = paths
        for source in sources:
            found = PROJECT / source
            if found.is_dir():
                shutil.copytree(found, self._source / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (self._source / target).mkdir(exist_ok=True)
                shutil.copy(found, self._source / target)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Built once."""
    directory = tmp_path_factory.mktemp("image")
    for parent in (directory, *directory.parents):
        if parent.owner() == pwd.getpwuid(os.geteuid()).pw_name and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o711)
    image = Image(directory)
    if os.geteuid() == 0:
        for path in (directory, image.directory / "src"):
            os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    image.build()
    return image


@pytest.fixture
def tape(image: Image, redis_server: RedisServer, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a role on a running tape: the image's own publisher on its own simulator."""
    redis_server.socket.chmod(0o777)
    for parent in redis_server.socket.parents:
        if parent.owner() == pwd.getpwuid(os.geteuid()).pw_name and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o711)
    simulator = image.start("brokertape", "simulate", "--port", "0", "--start", "busy")
    assert simulator.stdout is not None
    address = simulator.stdout.readline().strip()
    env = {
        "BROKERTAPE_REDIS_URL": redis_server.url,
        "BROKERTAPE_GATEWAY_ADDRESS": address,
        "BROKERTAPE_PUBLISH_CODES": "HK.00700",
    }
    publisher = image.start("brokertape", "publish", env=env)
    yield env
    for process in (publisher, simulator):
        process.kill()
        process.communicate()


async def test_the_image_publishes_and_is_well(image: Image, tape: dict[str, str]) -> None:
    """Its command and its health check, against the simulator."""
    found = re.search(r"HEALTHCHECK .*CMD (\[.*\])", FINAL)
    assert found is not None
    check: list[str] = json.loads(found[1])
    assert re.search(r'(?m)^ENTRYPOINT \["brokertape"\]', FINAL)

    def is_well() -> bool:
        process = image.start(*check, env=tape)
        process.communicate(timeout=60)
        return process.returncode == 0

    await until(is_well, 60)


def test_the_image_runs_as_nobody_in_particular() -> None:
    """By number, so that an engine can tell that it is not root."""
    assert re.search(r"(?m)^USER 10001:10001$", FINAL)


def test_every_role_is_there(image: Image) -> None:
    """With all that it imports."""
    for role in ("publish", "store", "alert"):
        assert "Usage" in image.run("brokertape", role, "--help").stdout
    image.run("python", "-c", "import apprise, cel_expr_python, httpx2, prometheus_client, psycopg")
