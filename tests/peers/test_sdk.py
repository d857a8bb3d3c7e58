"""The official SDK talks to the simulated gateway, and reads what was sent."""

import asyncio
import csv
from pathlib import Path

import pytest

from brokertape.gateway.values import BrokerItem, BuySellType, TopTenBrokers
from brokertape.simulator import FixedMarket, GatewayServer
from brokertape.simulator.instruments import KNOWN
from support.official_sdk import Given, OfficialSdk, require_sdk, run_script
from support.rsa_keys import write_key
from support.simulators import CODES, TEN_O_CLOCK_S, simulator_settings

pytestmark = pytest.mark.peer

TOP_TEN = "get_top_ten_buy_sell_brokers"
CODE = "HK.00700"
COLUMNS = ["net_vol", "is_real_time", "buy_sell_type", "data_time", "data_time_str", "broker_name"]
REAL_TIME_COLUMNS = [*COLUMNS, "avg_price", "total_vol", "total_turnover"]
REAL_ANSWER = Path(__file__).parent.parent / "data" / "hk00700_20260508.csv"
DATA_TIME, DATA_TIME_STR = 1778227221, "2026-05-08 16:00:21"


@pytest.fixture(autouse=True)
def _sdk() -> None:
    require_sdk()


def check_real_time(given: Given, table: TopTenBrokers) -> None:
    """Column by column and value by value, types included."""
    assert given.ret == 0
    assert given.columns == REAL_TIME_COLUMNS
    assert [tuple(record.values()) for record in given.records] == [
        (
            item.net_vol,
            True,
            int(item.buy_sell_type or 0),
            table.data_time,
            given.records[0]["data_time_str"],
            item.broker_name,
            item.avg_price,
            item.total_vol,
            item.total_turnover,
        )
        for item in table.brokers
    ]


async def test_real_time_and_past_tables_are_read_value_by_value(tmp_path: Path) -> None:
    """All columns of both forms; an empty list is an empty frame."""
    settings = simulator_settings(empty_codes=("HK.02800",))
    async with GatewayServer(settings) as server:
        sdk = OfficialSdk(tmp_path, server.port)
        now, past, empty = await sdk.call([TOP_TEN, CODE], [TOP_TEN, CODE, 1], [TOP_TEN, "HK.02800"])
        check_real_time(now, server.market.table(CODE))
        assert now.records[0]["data_time_str"].startswith("2026-05-08 09:59:")
        table = server.market.table(CODE, 1)
        assert past.columns == COLUMNS
        assert [(row["net_vol"], row["buy_sell_type"], row["broker_name"]) for row in past.records] == [
            (item.net_vol, item.buy_sell_type, item.broker_name) for item in table.brokers
        ]
        assert {(row["is_real_time"], row["data_time"]) for row in past.records} == {(False, table.data_time)}
        assert (empty.ret, empty.data) == (0, {"columns": [], "rows": []})


@pytest.mark.parametrize("is_encrypted", [True, False])
async def test_a_keyed_gateway_is_understood_with_and_without_encryption(is_encrypted: bool, tmp_path: Path) -> None:
    """RSA for InitConnect, then AES-CBC or nothing, as the SDK was told."""
    key_file = write_key(tmp_path / "key.pem")
    async with GatewayServer(simulator_settings(rsa_key_file=key_file)) as server:
        sdk = OfficialSdk(tmp_path, server.port, rsa_key_file=key_file, is_encrypted=is_encrypted)
        given, state = await sdk.call([TOP_TEN, CODE], ["get_global_state"])
        check_real_time(given, server.market.table(CODE))
        assert state.ret == 0


async def test_a_real_answer_is_served_and_read_value_for_value(tmp_path: Path) -> None:
    """The twenty rows of 8 May 2026, through the simulator and the SDK, are what they were."""
    with REAL_ANSWER.open() as file:
        rows = list(csv.DictReader(file))
    market = FixedMarket(KNOWN[:1])
    market.show_table(real_table(rows))
    async with GatewayServer(simulator_settings(), market) as server:
        (given,) = await OfficialSdk(tmp_path, server.port).call([TOP_TEN, CODE])
    assert given.columns == REAL_TIME_COLUMNS
    assert len(given.records) == len(rows) == 20
    for record, row in zip(given.records, rows, strict=True):
        assert (record["net_vol"], record["buy_sell_type"]) == (int(row["net_vol"]), int(row["buy_sell_type"]))
        for name in ("avg_price", "total_vol", "total_turnover"):
            assert record[name] == float(row[name])
        assert (record["data_time"], record["data_time_str"]) == (DATA_TIME, DATA_TIME_STR)


def real_table(rows: list[dict[str, str]]) -> TopTenBrokers:
    """The rows as a table; the print-out they come from left out the names."""
    items = [
        BrokerItem(
            broker_name=f"Broker {n}",
            buy_sell_type=BuySellType(int(row["buy_sell_type"])),
            net_vol=int(row["net_vol"]),
            avg_price=float(row["avg_price"]),
            total_vol=float(row["total_vol"]),
            total_turnover=float(row["total_turnover"]),
        )
        for n, row in enumerate(rows)
    ]
    return TopTenBrokers(CODE, is_real_time=True, data_time=DATA_TIME, brokers=tuple(items))


async def test_state_snapshot_static_info_and_trade_dates_are_read(tmp_path: Path) -> None:
    """Each call gives the market's own numbers."""
    async with GatewayServer(simulator_settings()) as server:
        state, snapshot, info, whole_market, days, states = await OfficialSdk(tmp_path, server.port).call(
            ["get_global_state"],
            ["get_market_snapshot", list(CODES)],
            ["get_stock_basicinfo", "HK", "STOCK", ["HK.02800"]],
            ["get_stock_basicinfo", "HK", "STOCK"],
            ["request_trading_days", "HK", "2026-05-07", "2026-05-11"],
            ["get_market_state", [CODE]],
        )
        assert (state.data["market_hk"], state.data["timestamp"]) == ("MORNING", str(int(TEN_O_CLOCK_S)))
        assert (state.data["qot_logined"], state.data["program_status_type"]) == (True, "READY")
        assert [record["code"] for record in snapshot.records] == list(CODES)
        for record in snapshot.records:
            quote = server.market.quote(record["code"])
            assert (record["volume"], record["turnover"]) == (quote.volume, quote.turnover)
            assert (record["last_price"], record["open_price"]) == (quote.cur_price, quote.open_price)
            assert (record["high_price"], record["low_price"]) == (quote.high_price, quote.low_price)
            assert (record["suspension"], record["sec_status"]) == (False, "NORMAL")
            assert record["update_time"].startswith("2026-05-08 09:5")
        assert [record["name"] for record in snapshot.records] == ["TENCENT", "HSBC HOLDINGS", "TRACKER FUND"]
        assert [record["lot_size"] for record in snapshot.records] == [100, 400, 500]
        (fund,) = info.records
        assert (fund["code"], fund["name"], fund["lot_size"], fund["stock_type"]) == (
            "HK.02800",
            "TRACKER FUND",
            500,
            "ETF",
        )
        assert [record["code"] for record in whole_market.records] == ["HK.00700", "HK.00005"]
        assert [day["time"] for day in days.data] == ["2026-05-07", "2026-05-08", "2026-05-11"]
        assert {day["trade_date_type"] for day in days.data} == {"WHOLE"}
        assert states.records[0]["market_state"] == "MORNING"


async def test_snapshots_tell_status_and_lack_of_rights(tmp_path: Path) -> None:
    """Suspended and delisted codes in the SDK's own words; more codes than the rights allow are refused with a text."""
    settings = simulator_settings(
        suspended_codes=("HK.00005",), delisted_codes=("HK.02800",), snapshot_codes=3, snapshot_limit=2
    )
    async with GatewayServer(settings) as server:
        given, too_many, too_often = await OfficialSdk(tmp_path, server.port).call(
            ["get_market_snapshot", list(CODES)],
            ["get_market_snapshot", [*CODES, "HK.00001"]],
            ["get_market_snapshot", [CODE]],
        )
    assert [(record["suspension"], record["sec_status"]) for record in given.records] == [
        (False, "NORMAL"),
        (True, "SUSPENDED"),
        (False, "DELISTED"),
    ]
    assert (too_many.ret, too_many.data) == (-1, "行情权限不足，每次最多请求3只股票")
    assert (too_often.ret, too_often.data) == (-1, "获取市场快照频率太高，请求失败，每30秒最多2次。")


async def test_refusals_reach_the_caller_as_text(tmp_path: Path) -> None:
    """A US code, one that is not known, and the 31st call: failed ones count against the limit."""
    calls = [[TOP_TEN, "US.AAPL"], [TOP_TEN, "HK.99999"], *[[TOP_TEN, CODE]] * 29]
    async with GatewayServer(simulator_settings()) as server:
        given = await OfficialSdk(tmp_path, server.port).call(*calls)
        assert [one.ret for one in given] == [-1, -1, *[0] * 28, -1]
        assert given[0].data == "只支持港股正股和基金"
        assert given[1].data == "未知股票 99999"
        assert given[30].data == "获取十大买卖经纪商频率太高，请求失败，每30秒最多30次。"


async def test_a_subscribed_quote_is_pushed_to_the_handler(tmp_path: Path) -> None:
    """Three pushes in a moving market, volumes rising; the quota says what it takes."""
    async with GatewayServer(simulator_settings(speed=60.0)) as server:
        sdk = OfficialSdk(tmp_path, server.port)
        subscribed, quota = await sdk.call(["subscribe", [CODE], ["QUOTE"]], ["query_subscription"], pushes=3)
        assert subscribed.ret == 0
        assert quota.data["total_used"] == 1
        frames = [Given(*push[1:]) for push in sdk.pushes]
        assert {push[0] for push in sdk.pushes} == {"StockQuoteHandlerBase"}
        volumes = [record["volume"] for frame in frames for record in frame.records]
        assert len(volumes) >= 3
        assert volumes == sorted(set(volumes))
        assert frames[0].records[0]["code"] == CODE


async def test_notices_are_pushed_to_the_handler(tmp_path: Path) -> None:
    """The backend comes and goes until the SDK has seen it go, come back, and be ready."""
    async with GatewayServer(simulator_settings()) as server:
        sdk = OfficialSdk(tmp_path, server.port)
        calling = asyncio.create_task(sdk.call(pushes=6))
        while not calling.done():
            server.log_out()
            server.log_in()
            await asyncio.sleep(0.05)
        await calling
        notices = [push[2] for push in sdk.pushes if push[0] == "SysNotifyHandlerBase"]
        for is_logged_in in (True, False):
            status = {"qot_logined": is_logged_in, "trd_logined": is_logged_in}
            assert ["CONN_STATUS", None, status] in notices
        assert ["PROGRAM_STATUS", "READY", ""] in notices


# What our files leave as it is, on purpose.
KNOWN_DIFFERENCES = {
    "ProgramStatus.ext_desc: name 'extdesc', the vendor's 'strextdesc'",  # their type prefix
    # Read for one of its fields, never sent.
    "QotRight.hk_qot_right: required False, the vendor's True",
    "QotRight lacks the required usQotRight",
    "QotRight lacks the required cnQotRight",
}


async def test_our_messages_have_the_vendors_numbers_types_and_names(tmp_path: Path) -> None:
    """Every message of our .proto files, against the descriptors the SDK ships."""
    *differences, compared = (await run_script("sdk_descriptors.py", tmp_path)).splitlines()
    assert set(differences) == KNOWN_DIFFERENCES
    assert compared == "61 messages compared"
