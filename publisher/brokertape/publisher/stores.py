"""What a publisher reads and keeps on Redis, beside the books."""

from dataclasses import dataclass

from brokertape.publisher.feed import Feed
from brokertape.publisher.leases import Leases
from brokertape.publisher.retention import Trimmer
from brokertape.publisher.schedule_store import ScheduleStore
from brokertape.publisher.watch import WatchList
from brokertape.publisher.why import WhyStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Each owns its keys.

    `watch` is what is wanted, `leases` who publishes, `feed` what concerns them all, `learned` what schedules remember,
    `why` what they tell of themselves, and `trimmer` cuts the tapes.
    """

    watch: WatchList
    leases: Leases
    feed: Feed
    learned: ScheduleStore
    why: WhyStore
    trimmer: Trimmer
