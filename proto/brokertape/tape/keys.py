"""Every Redis key of the tape, written down once.

    <prefix>:{n}:tape            stream  events of every code of partition n, in commit order
    <prefix>:{n}:book:<code>     hash    latest state of one code
    <prefix>:{n}:codes           set     codes that have a book in this partition
    <prefix>:{n}:dead:<group>    stream  entries a worker group gave up on
    <prefix>:feed                stream  status and watermarks
    <prefix>:status              hash    <scope>|<name> → latest status event
    <prefix>:history             stream  one event per code and past trading day
    <prefix>:watch               hash    code → {weight, max_staleness_s}
    <prefix>:interest            zset    <code>|<subscriber> → expiry (ms)
    <prefix>:interest:want       hash    same member → {weight, max_staleness_s}
    <prefix>:publishers          zset    <account>|<publisher> → expiry (ms) of its lease
    <prefix>:budget:<account>    zset    the rolling request window of one gateway account
    <prefix>:meta                hash    schema, partitions
    <prefix>:x:…                         private to our own processes

`{n}` is a Redis Cluster hash tag: book, tape and codes of a partition share a slot, so one script can write them.
"""

import binascii
import re
from dataclasses import dataclass

from brokertape.tape.errors import InvalidCode, InvalidKeys

SCHEMA = 1
DEFAULT_PREFIX = "brokertape"
DEFAULT_PARTITIONS = 16
MAX_PARTITIONS = 64

_CODE = re.compile(r"HK\.[0-9]{5}")
_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_NAME = re.compile(r"[^\s{}|]{1,128}")


def check_code(code: str) -> str:
    """`code` itself, if it is a Hong Kong code as the gateway writes it (`HK.00700`).

    Raises:
        InvalidCode: With a line that says what a code looks like.
    """
    if not _CODE.fullmatch(code):
        market, dot, _ = code.partition(".")
        if dot and market.isalpha() and market.upper() != "HK":
            raise InvalidCode(f"{code!r} is of market {market!r}: only Hong Kong stocks (HK.00700) have broker lists")
        raise InvalidCode(f"{code!r} is not a code: write HK. and five digits, as in HK.00700")
    return code


def partition_of(code: str, partitions: int) -> int:
    """The partition a code lives in: CRC-16/XMODEM of its UTF-8 bytes, modulo `partitions`."""
    return binascii.crc_hqx(code.encode(), 0) % partitions


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one tape.

    Raises:
        InvalidKeys: `partitions` is not a power of two from 1 to 64, or the prefix would break a key.
    """

    prefix: str = DEFAULT_PREFIX
    partitions: int = DEFAULT_PARTITIONS

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise InvalidKeys(f"key prefix {self.prefix!r}: use 1 to 64 letters, digits and _ . : -")
        if not 1 <= self.partitions <= MAX_PARTITIONS or self.partitions & (self.partitions - 1):
            raise InvalidKeys(f"partitions = {self.partitions}: use a power of two from 1 to {MAX_PARTITIONS}")

    def partition(self, code: str) -> int:
        """The partition of `code` on this tape."""
        return partition_of(code, self.partitions)

    def tape(self, partition: int) -> str:
        """Stream of one partition's events."""
        return f"{self._tagged(partition)}:tape"

    def tape_of(self, code: str) -> str:
        """Stream that carries the events of `code`."""
        return self.tape(self.partition(code))

    def tapes(self) -> list[str]:
        """The streams of all partitions, in order."""
        return [self.tape(partition) for partition in range(self.partitions)]

    def book(self, code: str) -> str:
        """Hash with the latest state of `code`."""
        return f"{self._tagged(self.partition(code))}:book:{code}"

    def codes(self, partition: int) -> str:
        """Set of the codes that have a book in a partition."""
        return f"{self._tagged(partition)}:codes"

    def dead(self, partition: int, group: str) -> str:
        """Stream of entries that `group` gave up on, in the slot of the tape they come from."""
        return f"{self._tagged(partition)}:dead:{check_name('group', group)}"

    def dead_history(self, group: str) -> str:
        """Stream of history events that `group` gave up on, in the slot of the history stream."""
        return self.private(f"dead:{check_name('group', group)}", slot_of=self.history)

    def budget(self, account: str) -> str:
        """Sorted set with the rolling window of one gateway account."""
        return f"{self.prefix}:budget:{check_name('account', account)}"

    def private(self, name: str, slot_of: str | None = None) -> str:
        """A key of our own processes; with `slot_of`, in the same Cluster slot as that key."""
        return f"{self.prefix}:x:{name}" if slot_of is None else f"{self.prefix}:x:{{{slot_of}}}:{name}"

    @property
    def feed(self) -> str:
        """Stream of feed-level events."""
        return f"{self.prefix}:feed"

    @property
    def status(self) -> str:
        """Hash of the latest status per scope and name."""
        return f"{self.prefix}:status"

    @property
    def history(self) -> str:
        """Stream of past trading days."""
        return f"{self.prefix}:history"

    @property
    def watch(self) -> str:
        """Hash of what operators asked to watch."""
        return f"{self.prefix}:watch"

    @property
    def interest(self) -> str:
        """Sorted set of what live subscribers ask for."""
        return f"{self.prefix}:interest"

    @property
    def interest_want(self) -> str:
        """Hash of how urgently live subscribers ask."""
        return f"{self.prefix}:interest:want"

    @property
    def publishers(self) -> str:
        """Sorted set of publisher leases."""
        return f"{self.prefix}:publishers"

    @property
    def meta(self) -> str:
        """Hash that fixes schema and partition count when the tape is created."""
        return f"{self.prefix}:meta"

    def _tagged(self, partition: int) -> str:
        return f"{self.prefix}:{{{partition}}}"


def check_name(what: str, name: str) -> str:
    """`name`, if it can stand in a key: no white space, braces (a Cluster hash tag) or `|` (our separator).

    Raises:
        InvalidKeys: It cannot.
    """
    if not _NAME.fullmatch(name):
        raise InvalidKeys(f"{what} {name!r}: 1 to 128 characters without white space, braces or |")
    return name
