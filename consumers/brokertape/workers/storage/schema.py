"""The tables. Names and units are the tape's: ms since 1970, but `data_time` in s; shares and HKD.

events      one row per event, however often it was delivered; `payload` is its JSON exactly as published
changes     one row per change record of an event; kinds separated by commas
books       the latest state of every code; `list_rows` is its rows in JSON, as the tape writes them
positions   per worker group and partition, the entry id up to which everything is stored
schema_version   the one row that says who made this
"""

from sqlalchemy import BigInteger, Column, Float, Integer, MetaData, Table, Text

SCHEMA_VERSION = 1

metadata = MetaData()

# The primary key is the CloudEvent id: `<code>/<epoch>/<seq>`. A table with a rowid: WITHOUT ROWID is slower here.
events = Table(
    "events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("code", Text, nullable=False),
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
    Column("event_id", Text, primary_key=True),
    Column("change_index", Integer, primary_key=True),
    Column("broker_name", Text, nullable=False),
    Column("ordinal", Integer),
    Column("kinds", Text, nullable=False),
    Column("side_before", Text),
    Column("side_after", Text),
    Column("rank_before", Integer),
    Column("rank_after", Integer),
    Column("net_vol_before", BigInteger),
    Column("net_vol_after", BigInteger),
    Column("avg_price_before", Float),
    Column("avg_price_after", Float),
    Column("total_vol_before", Float),
    Column("total_vol_after", Float),
    Column("total_turnover_before", Float),
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
    Column("code", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("trading_date", Text, nullable=False),
    Column("data_time", BigInteger),
    Column("observed_at", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    Column("list_rows", Text, nullable=False),
)

positions = Table(
    "positions",
    metadata,
    Column("worker_group", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("entry_id", Text, nullable=False),
)

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))
