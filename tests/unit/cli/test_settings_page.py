"""docs/settings.md."""

from brokertape.cli.settings_page import settings_page
from support.source_tree import PROJECT


def test_the_page_is_true() -> None:
    """It is what the settings make of it: `python -m brokertape.cli.settings_page > docs/settings.md`."""
    assert (PROJECT / "docs" / "settings.md").read_text() == settings_page()
