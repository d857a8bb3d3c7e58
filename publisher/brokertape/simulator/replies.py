"""The simulator's values as the gateway's messages."""

from collections.abc import Callable, Iterable
from datetime import date

from brokertape.gateway.messages import HK_SECURITIES
from brokertape.gateway.refusals import OK
from brokertape.gateway.values import BrokerItem, MarketState, TopTenBrokers, TradeDate
from brokertape.gateway_pb.v1 import quote_pb2 as pb
from brokertape.gateway_pb.v1.common_pb2 import Security
from brokertape.simulator.instruments import Instrument
from brokertape.simulator.market import Quote
from brokertape.simulator.trading_calendar import market_moment, market_time

LIST_TIME = "2000-01-03"  # nobody asks when a simulated security was listed
OTHER_MARKETS = {11: "US", 21: "SH", 22: "SZ"}  # Security.market


def code_of(security: Security) -> str:
    """`HK.00700`, or a code of another market in the same form."""
    prefix = "HK" if security.market == HK_SECURITIES else OTHER_MARKETS.get(security.market, str(security.market))
    return f"{prefix}.{security.code}"


def security_of(code: str) -> Security:
    """A Hong Kong code as the gateway writes it."""
    return Security(market=HK_SECURITIES, code=code.removeprefix("HK."))


def top_ten(table: TopTenBrokers) -> pb.QotGetTopTenBuySellBrokersS2C:
    """A table; what is None in it is left out."""
    s2c = pb.QotGetTopTenBuySellBrokersS2C(is_real_time=table.is_real_time)
    if table.data_time is not None:
        s2c.data_time = table.data_time
        s2c.data_time_str = market_time(table.data_time)
    s2c.broker_list.extend(_broker_item(item) for item in table.brokers)
    return s2c


def _broker_item(item: BrokerItem) -> pb.BrokerItem:
    return pb.BrokerItem(
        net_vol=item.net_vol,
        broker_name=item.broker_name,
        buy_sell_type=None if item.buy_sell_type is None else pb.BuySellType.ValueType(item.buy_sell_type),
        avg_price=item.avg_price,
        total_vol=item.total_vol,
        total_turnover=item.total_turnover,
    )


def static_info(instruments: Iterable[Instrument]) -> pb.QotGetStaticInfoS2C:
    """What is fixed about securities."""
    return pb.QotGetStaticInfoS2C(
        static_info_list=[pb.SecurityStaticInfo(basic=_static_basic(instrument)) for instrument in instruments]
    )


def _static_basic(instrument: Instrument) -> pb.SecurityStaticBasic:
    return pb.SecurityStaticBasic(
        security=security_of(instrument.code),
        id=int(instrument.code.removeprefix("HK.")),
        lot_size=instrument.lot_size,
        sec_type=instrument.sec_type,
        name=instrument.name,
        list_time=LIST_TIME,
        delisting=instrument.is_delisted,
    )


def snapshot(quote: Quote, instrument: Instrument) -> pb.SecuritySnapshot:
    """One code of a market snapshot."""
    basic = pb.SnapshotBasicData(
        security=security_of(quote.code),
        type=instrument.sec_type,
        is_suspend=quote.is_suspended,
        list_time=LIST_TIME,
        lot_size=instrument.lot_size,
        price_spread=quote.price_spread,
        update_time=market_time(quote.updated_s),
        high_price=quote.high_price,
        open_price=quote.open_price,
        low_price=quote.low_price,
        last_close_price=quote.last_close_price,
        cur_price=quote.cur_price,
        volume=quote.volume,
        turnover=quote.turnover,
        turnover_rate=0.0,
        update_timestamp=quote.updated_s,
        sec_status=quote.sec_status,
        name=instrument.name,
    )
    return pb.SecuritySnapshot(basic=basic)


def basic_qots(quotes: Iterable[Quote], instrument_of: Callable[[str], Instrument]) -> pb.QotUpdateBasicQotResponse:
    """Quotes as they are pushed."""
    items = [_basic_qot(quote, instrument_of(quote.code)) for quote in quotes]
    s2c = pb.QotUpdateBasicQotS2C(basic_qot_list=items)
    return pb.QotUpdateBasicQotResponse(ret_type=OK, ret_msg="", s2c=s2c)


def _basic_qot(quote: Quote, instrument: Instrument) -> pb.BasicQot:
    return pb.BasicQot(
        security=security_of(quote.code),
        is_suspended=quote.is_suspended,
        list_time=LIST_TIME,
        price_spread=quote.price_spread,
        update_time=market_time(quote.updated_s),
        high_price=quote.high_price,
        open_price=quote.open_price,
        low_price=quote.low_price,
        cur_price=quote.cur_price,
        last_close_price=quote.last_close_price,
        volume=quote.volume,
        turnover=quote.turnover,
        turnover_rate=0.0,
        amplitude=quote.amplitude,
        update_timestamp=quote.updated_s,
        sec_status=quote.sec_status,
        name=instrument.name,
    )


def trade_dates(days: Iterable[TradeDate]) -> pb.QotRequestTradeDateS2C:
    """Trading days."""
    return pb.QotRequestTradeDateS2C(trade_date_list=[_trade_date(day) for day in days])


def _trade_date(day: TradeDate) -> pb.TradeDate:
    midnight_s = market_moment(date.fromisoformat(day.date), 0)
    return pb.TradeDate(time=day.date, timestamp=midnight_s, trade_date_type=day.type)


def market_states(instruments: Iterable[Instrument], state: MarketState) -> pb.QotGetMarketStateS2C:
    """The market's state, code by code."""
    infos = [
        pb.MarketInfo(security=security_of(instrument.code), name=instrument.name, market_state=state)
        for instrument in instruments
    ]
    return pb.QotGetMarketStateS2C(market_info_list=infos)
