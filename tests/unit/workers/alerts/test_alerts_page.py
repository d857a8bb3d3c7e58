"""docs/alerts.md: its tables of fields are those of the code. Run as a program, it writes them anew."""

import re

import pytest

from brokertape.workers.alerts import views
from brokertape.workers.alerts.views import fields_of
from support.source_tree import PROJECT

PAGE = PROJECT / "docs" / "alerts.md"
_TABLE = re.compile(
    r"(<!-- fields: (\w+) -->\n\| field \| type \| \|\n\| --- \| --- \| --- \|\n)(.*?)(<!-- end -->)", re.DOTALL
)


def table(view: str) -> str:
    """The rows of a view's fields; those of a window stand by themselves."""
    window = fields_of(views.WindowView) if view != "WindowView" else {}
    fields = {name: one for name, one in fields_of(getattr(views, view)).items() if name not in window}
    return "".join(
        f"| `{name}` | {one.kind.value} | {' '.join(one.meaning.split())} |\n" for name, one in fields.items()
    )


def written(page: str) -> str:
    """The page with the tables as they should be."""
    return _TABLE.sub(lambda found: found[1] + table(found[2]) + found[4], page)


@pytest.mark.parametrize("view", ["BrokerView", "TogetherView", "BasketView", "WindowView"])
def test_the_page_has_every_field(view: str) -> None:
    """With type and meaning, as the code says it."""
    found = {name: rows for _, name, rows, _ in _TABLE.findall(PAGE.read_text())}
    assert found[view] == table(view)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
