"""The securities the simulated gateway knows, and the exchange's price steps. Prices in thousandths of HKD."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

STOCK = 3
FUND = 4
INDEX = 6


@dataclass(frozen=True, slots=True)
class Instrument:
    """One security. `sec_type`: 3 stock, 4 trust or fund, 6 index; `base_mills` is about where its price stays.

    A delisted one is still known; nobody trades it.
    """

    code: str
    name: str
    lot_size: int
    base_mills: int
    sec_type: int = STOCK
    is_delisted: bool = False

    @property
    def has_broker_table(self) -> bool:
        """Whether the gateway keeps a top-ten table for it: Hong Kong stocks and funds only."""
        return self.sec_type in (STOCK, FUND)


# The most traded first. Prices are of the right size, not of any day.
KNOWN = (
    Instrument("HK.00700", "TENCENT", 100, 466_000),
    Instrument("HK.09988", "BABA-W", 100, 118_500),
    Instrument("HK.01810", "XIAOMI-W", 200, 41_500),
    Instrument("HK.03690", "MEITUAN-W", 100, 98_400),
    Instrument("HK.00981", "SMIC", 500, 61_200),
    Instrument("HK.02800", "TRACKER FUND", 500, 25_600, FUND),
    Instrument("HK.01299", "AIA", 200, 78_500),
    Instrument("HK.00388", "HKEX", 100, 412_000),
    Instrument("HK.00005", "HSBC HOLDINGS", 400, 108_800),
    Instrument("HK.00939", "CCB", 1000, 7_900),
    Instrument("HK.01211", "BYD COMPANY", 500, 104_600),
    Instrument("HK.02318", "PING AN", 500, 58_900),
    Instrument("HK.09618", "JD-SW", 50, 127_000),
    Instrument("HK.01024", "KUAISHOU-W", 100, 63_500),
    Instrument("HK.00941", "CHINA MOBILE", 500, 84_200),
    Instrument("HK.01398", "ICBC", 1000, 6_100),
    Instrument("HK.00883", "CNOOC", 1000, 19_400),
    Instrument("HK.03988", "BANK OF CHINA", 1000, 4_400),
    Instrument("HK.09999", "NTES-S", 100, 208_000),
    Instrument("HK.00175", "GEELY AUTO", 1000, 18_700),
    Instrument("HK.02020", "ANTA SPORTS", 200, 93_500),
    Instrument("HK.00016", "SHK PPT", 500, 92_100),
    Instrument("HK.00001", "CKH HOLDINGS", 500, 52_300),
    Instrument("HK.00027", "GALAXY ENT", 1000, 38_900),
    Instrument("HK.02269", "WUXI BIO", 500, 30_800),
    Instrument("HK.09888", "BIDU-SW", 50, 90_200),
    Instrument("HK.00992", "LENOVO GROUP", 2000, 10_300),
    Instrument("HK.00002", "CLP HOLDINGS", 500, 66_700),
    Instrument("HK.00003", "HK & CHINA GAS", 1000, 7_000),
    Instrument("HK.00823", "LINK REIT", 100, 41_300, FUND),
)
HANG_SENG_INDEX = Instrument("HK.800000", "Hang Seng Index", 1, 25_000_000, INDEX)

_KNOWN_BY_CODE = {instrument.code: instrument for instrument in (*KNOWN, HANG_SENG_INDEX)}
_LOT_SIZES = (100, 200, 400, 500, 1000, 2000)


def instruments_of(codes: Iterable[str]) -> tuple[Instrument, ...]:
    """The instruments of `codes`; for a code outside the list a stock is made up, always the same one."""
    return tuple(_KNOWN_BY_CODE.get(code) or _made_up(code) for code in codes)


def _made_up(code: str) -> Instrument:
    digest = hashlib.sha256(code.encode()).digest()
    base_mills = 1_000 + int.from_bytes(digest[:2], "big") * 2
    return Instrument(code, f"STOCK {code.removeprefix('HK.')}", _LOT_SIZES[digest[2] % len(_LOT_SIZES)], base_mills)


_STEP_FROM_MILLS = (0, 250, 500, 10_000, 20_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000)
_STEPS_MILLS = (1, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)


def price_step_mills(price_mills: int) -> int:
    """The smallest move of a price of this size, after the exchange's spread table."""
    return _STEPS_MILLS[bisect_right(_STEP_FROM_MILLS, price_mills) - 1]
