"""How an export gets on, where nobody looks at a terminal."""

import pytest

from brokertape.cli import export_progress
from brokertape.cli.export_progress import shown


@pytest.mark.parametrize(
    ("every_s", "lines"), [(0.0, "changes: 2000 rows, 50%\nchanges: 3000 rows, 100%\n"), (60.0, "")]
)
def test_a_log_gets_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], every_s: float, lines: str
) -> None:
    """On standard error, and no bar; the rows are counted in any case."""
    monkeypatch.setattr(export_progress, "LINE_EVERY_S", every_s)
    with shown("changes") as tally:
        tally.add(2000, 0.5)
        tally.add(1000, 1.0)
    assert tally.rows == 3000
    assert capsys.readouterr() == ("", lines)
