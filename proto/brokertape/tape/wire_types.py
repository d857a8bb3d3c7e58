"""Single values as the contract states them, for the JSON Schema alone.

Nothing here is checked when an event is read: that path is hot, and a reader gains nothing from refusing a value it
can use. The schemas are for those who write events, and for subscribers that want to be strict.
"""

from typing import Annotated

from msgspec import Meta

_CODE = "HK\\.[0-9]{5}"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_NUMBER = "[1-9][0-9]*"


def _text(description: str, pattern: str) -> Meta:
    return Meta(description=description, extra_json_schema={"pattern": f"^{pattern}$"})


def _integer(description: str, **bounds: int) -> Meta:
    return Meta(description=description, extra_json_schema=dict(bounds))


Code = Annotated[str, _text("A stock code, as `HK.00700`.", _CODE)]
TradingDate = Annotated[str, _text("`YYYY-MM-DD`, market time (UTC+8).", _DATE)]
RowsHash = Annotated[str, _text("First 16 hex digits of the SHA-256 of a table's rows.", "[0-9a-f]{16}")]
Time = Annotated[str, _text("RFC 3339 in UTC, with ms.", f"{_DATE}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}\\.[0-9]{{3}}Z")]
Source = Annotated[str, _text("`/opend/<address of the gateway>`.", ".+")]
TapeEventId = Annotated[str, _text("`<code>/<epoch>/<seq>`.", f"{_CODE}/{_NUMBER}/{_NUMBER}")]
HistoryEventId = Annotated[str, _text("`<code>/history/<trading_date>`.", f"{_CODE}/history/{_DATE}")]
FeedEventId = Annotated[str, _text("`<publisher>/<its start in ms>/<number>`.", f".+/{_NUMBER}/{_NUMBER}")]

Epoch = Annotated[int, _integer("Which numbering: a later one is larger.", minimum=1)]
Counted = Annotated[int, _integer("Counted from 1.", minimum=1)]
Count = Annotated[int, _integer("How many.", minimum=0)]
Millis = Annotated[int, _integer("ms since 1970.", minimum=0)]
Seconds = Annotated[int, _integer("s since 1970.")]
