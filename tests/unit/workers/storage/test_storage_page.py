"""docs/storage.md tells of every table and column that there is."""

import re

import pytest

from brokertape.workers.storage.exports import EXPORTS
from brokertape.workers.storage.schema import metadata
from support.source_tree import PROJECT

PAGE = (PROJECT / "docs" / "storage.md").read_text()


@pytest.mark.parametrize("table", metadata.tables)
def test_the_page_has_every_column(table: str) -> None:
    """And none that is not there."""
    [line] = re.findall(rf"^\| `{table}` \|.*\|.*\|.*\|$", PAGE, re.MULTILINE)
    _, key, columns = [part.strip() for part in line.split("|")[2:5]]
    named = re.findall(r"`(\w+)`", f"{key} {columns}")
    assert sorted(named) == sorted(metadata.tables[table].columns.keys())


@pytest.mark.parametrize("export", EXPORTS)
def test_the_page_has_every_export(export: str) -> None:
    """With what its span goes by."""
    assert re.search(rf"^\| `{export}` \|[^|]*\| `{EXPORTS[export].by.name}` \|$", PAGE, re.MULTILINE)
