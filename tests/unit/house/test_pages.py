"""What the pages name is there: commands, files."""

import os
import re
import subprocess

import pytest

from support.source_tree import PROJECT

pytestmark = pytest.mark.one_python  # it reads files

PAGES = [path.relative_to(PROJECT).as_posix() for path in sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")])]
PROMISED = {"demo", "test", "soak", "check", "bench", "proto", "setup"}

MAKEFILE = (PROJECT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))


def test_the_makefile_has_every_job() -> None:
    """One target a job."""
    assert PROMISED <= TARGETS


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    """A page names no file that is not there."""
    targets = re.findall(r"\]\((?!https?://)([^)#]+)\)", (PROJECT / page).read_text())
    assert [target for target in targets if not ((PROJECT / page).parent / target).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_command_of_a_page_is_a_target(page: str) -> None:
    """`make …` in a page is a command that works."""
    named = set(re.findall(r"`?make ([a-z]+)", (PROJECT / page).read_text()))
    assert named
    assert named <= TARGETS


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["demo"], "bin/brokertape demo\n"),
        (["demo", "SECONDS=60"], "bin/brokertape demo --seconds 60\n"),
        (["test", "TESTS=tests/unit"], "tests/unit\n"),
    ],
)
def test_a_target_runs_what_it_says(arguments: list[str], command: str) -> None:
    """The last command of a target, with the variables that the Makefile's head explains."""
    dry_run = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *arguments],
        cwd=PROJECT,
        env={name: value for name, value in os.environ.items() if name != "MAKEFLAGS"},  # of the make we run under
        capture_output=True,
        text=True,
        check=True,
    )
    assert dry_run.stdout.endswith(command)


def test_ci_runs_the_readmes_test_command() -> None:
    """CI proves the command that a newcomer types, not another one."""
    assert "make test" in (PROJECT / "README.md").read_text()
    assert re.search(r"^\s*\S*\s*make test\b", (PROJECT / ".ci" / "run").read_text(), re.MULTILINE)
