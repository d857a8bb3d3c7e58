"""The tables. Names and units are the tape's: ms since 1970, but `data_time` in s; shares and HKD.

events      one row per event, however often it was delivered; `payload` is its JSON exactly as published
changes     one row per change record of an event; kinds separated by commas
books       the latest state of every code; `list_rows` is its rows in JSON, as the tape writes them
closes      one row per code and trading date that a rollover ended; the first one stored counts
close_rows  the rows of its list
history     one row per code and past trading date that the gateway was asked for; `payload` as in `events`
history_rows     the rows of its list
positions   per worker group and partition, the entry id up to which everything is stored
schema_version   the one row that says who made this

Whatever number comes from the tape has 64 bits: a binary COPY into fewer would cut it without a word.
"""

from sqlalchemy import BigInteger, Column, Float, Integer, MetaData, Table, Text
from sqlalchemy.types import TypeEngine

SCHEMA_VERSION = 1

metadata = MetaData()


def _key() -> TypeEngine[str]:
    """Text that is compared byte by byte, as SQLite does anyway: quicker, and both databases sort alike."""
    return Text().with_variant(Text(collation="C"), "postgresql")


# The primary key is the CloudEvent id: `<code>/<epoch>/<seq>`. A table with a rowid: WITHOUT ROWID is slower here.
events = Table(
    "events",
    metadata,
    Column("id", _key(), primary_key=True),
    Column("type", Text, nullable=False),
    Column("code", _key(), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("trading_date", Text, nullable=False),
    Column("data_time", BigInteger),
    Column("since", BigInteger),
    # The one index beside the keys: what happened from … to …. More of them cost inserts dearly.
    Column("observed_at", BigInteger, nullable=False, index=True),
    Column("published_at", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    Column("payload", Text, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("event_id", _key(), primary_key=True),
    Column("change_index", Integer, primary_key=True, autoincrement=False),
    Column("broker_name", Text, nullable=False),
    Column("ordinal", BigInteger),
    Column("kinds", Text, nullable=False),
    Column("side_before", Text),
    Column("rank_before", BigInteger),
    Column("net_vol_before", BigInteger),
    Column("avg_price_before", Float),
    Column("total_vol_before", Float),
    Column("total_turnover_before", Float),
    Column("side_after", Text),
    Column("rank_after", BigInteger),
    Column("net_vol_after", BigInteger),
    Column("avg_price_after", Float),
    Column("total_vol_after", Float),
    Column("total_turnover_after", Float),
    Column("flow_net_vol", BigInteger),
    Column("flow_buy_vol", BigInteger),
    Column("flow_sell_vol", BigInteger),
    Column("flow_turnover", Float),
    Column("flow_vwap", Float),
)

books = Table(
    "books",
    metadata,
    Column("code", _key(), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("trading_date", Text, nullable=False),
    Column("data_time", BigInteger),
    Column("observed_at", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    Column("list_rows", Text, nullable=False),
)

closes = Table(
    "closes",
    metadata,
    Column("code", _key(), primary_key=True),
    Column("trading_date", _key(), primary_key=True),
    Column("event_id", _key(), nullable=False),
    Column("data_time", BigInteger),
)

close_rows = Table(
    "close_rows",
    metadata,
    Column("code", _key(), primary_key=True),
    Column("trading_date", _key(), primary_key=True),
    Column("side", _key(), primary_key=True),
    Column("rank", BigInteger, primary_key=True, autoincrement=False),
    Column("broker_name", Text, nullable=False),
    Column("net_vol", BigInteger),
    Column("avg_price", Float),
    Column("total_vol", Float),
    Column("total_turnover", Float),
)

# The primary key is the CloudEvent id: `<code>/history/<trading_date>`.
history = Table(
    "history",
    metadata,
    Column("id", _key(), primary_key=True),
    Column("code", _key(), nullable=False),
    Column("trading_date", _key(), nullable=False),
    Column("days_before", BigInteger, nullable=False),
    Column("data_time", BigInteger),
    Column("source", Text, nullable=False),
    Column("payload", Text, nullable=False),
)

history_rows = Table(
    "history_rows",
    metadata,
    Column("code", _key(), primary_key=True),
    Column("trading_date", _key(), primary_key=True),
    Column("side", _key(), primary_key=True),
    Column("rank", BigInteger, primary_key=True, autoincrement=False),
    Column("broker_name", Text, nullable=False),
    Column("net_vol", BigInteger),
)

positions = Table(
    "positions",
    metadata,
    Column("worker_group", _key(), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("entry_id", Text, nullable=False),
)

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True, autoincrement=False))
