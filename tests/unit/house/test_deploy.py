"""The image and the compose file, as far as they can be judged without an engine."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from brokertape.cli.settings import groups, variable
from support.source_tree import PROJECT, pyproject

pytestmark = pytest.mark.one_python  # it reads files

DEPLOY = PROJECT / "deploy"
DOCKERFILE, COMPOSE, LOCK = DEPLOY / "Dockerfile", DEPLOY / "compose.yaml", DEPLOY / "requirements.lock"
BIN = Path(sys.executable).parent
ROLES = {"publisher": "publish", "store": "store", "alert": "alert"}
PINNED = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def ended(program: str, *arguments: str) -> tuple[int, str]:
    """How a program of the environment ends, and what it says."""
    result = subprocess.run([str(BIN / program), *arguments], capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


def compose() -> dict[str, Any]:
    """The compose file, its merges done."""
    found: dict[str, Any] = YAML(typ="safe").load(COMPOSE.read_text())
    return found


def test_the_linter_finds_nothing_in_the_image() -> None:
    """Nor in the shell lines within it."""
    assert ended("hadolint", str(DOCKERFILE)) == (0, "")


def test_the_linter_would_find_something(tmp_path: Path) -> None:
    """The check above can fail."""
    (tmp_path / "Dockerfile").write_text(DOCKERFILE.read_text().replace("WORKDIR /src", "WORKDIR src"))
    code, said = ended("hadolint", str(tmp_path / "Dockerfile"))
    assert (code, "DL3000" in said) == (1, True)


def check_compose(path: Path) -> tuple[int, str]:
    """By the schema of the compose specification."""
    return ended("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(path))


def test_the_compose_file_is_one() -> None:
    """Not one key that nobody knows."""
    code, said = check_compose(COMPOSE)
    assert code == 0, said


def test_a_misspelt_key_would_be_seen(tmp_path: Path) -> None:
    """The check above can fail."""
    (tmp_path / "compose.yaml").write_text(COMPOSE.read_text().replace("healthcheck:", "healthchek:", 1))
    assert check_compose(tmp_path / "compose.yaml")[0] == 1


@pytest.mark.parametrize("service", ROLES)
def test_a_role_runs_its_command_with_settings_that_there_are(service: str) -> None:
    """By the variables of docs/settings.md, or the files that they name."""
    role = compose()["services"][service]
    assert role["command"] == [ROLES[service]]
    known = {variable(name, setting) for name, group in groups().items() for setting in group.model_fields}
    assert {name.removesuffix("_FILE") for name in role["environment"]} <= known


@pytest.mark.parametrize("service", ROLES)
def test_a_role_may_do_little(service: str) -> None:
    """Whatever is wrong with it."""
    role = compose()["services"][service]
    assert role["read_only"]
    assert role["cap_drop"] == ["ALL"]
    assert role["restart"] == "always"
    assert "privileged" not in role


def test_nothing_listens_beyond_the_host() -> None:
    """What is published is published on loopback."""
    ports = [port for service in compose()["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_secret_is_a_file() -> None:
    """None stands in the compose file."""
    text = COMPOSE.read_text()
    assert set(compose()["secrets"]) == {"postgres_password", "database"}
    assert not re.search(r"(?i)password: |postgresql://\S+:\S+@(?!postgres/brokertape\")", text)


def test_the_images_packages_are_those_that_are_tested() -> None:
    """The same versions, without what only development needs."""
    ours, tested = (dict(PINNED.findall(path.read_text())) for path in (LOCK, PROJECT / "requirements.lock"))
    assert ours.items() <= tested.items()
    assert {"pytest", "mypy", "pandas", "pyarrow"} & ours.keys() == set()
    extras = ("publisher", "store", "alerts", "notify", "metrics", "cli")
    needed = [line for extra in extras for line in optional(extra)]
    assert {re.split(r"[\[>=<;]", line)[0] for line in needed} <= ours.keys()


def optional(extra: str) -> list[str]:
    """The packages of an extra."""
    found: list[str] = pyproject()["project"]["optional-dependencies"][extra]
    return found
