"""One code, followed by the contract's rules."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from brokertape.subscriber.events import Freshness, State, Update
from brokertape.subscriber.follower import ELSEWHERE_MS, Follower, Hole
from brokertape.tape.book import Book
from brokertape.tape.events import TapeEvent, WatermarkEntry
from support.tape_factory import TapeFactory
from support.tape_writer import book_after


class Store:
    """The tape and the book of a code, as Redis has them."""

    def __init__(self, *, epoch: int = 1_778_198_400_000, seed: int = 0) -> None:
        self.factory = TapeFactory(epoch=epoch, seed=seed)
        self.entries: list[tuple[str, TapeEvent]] = []
        self.books: list[Book] = []

    def add(self, event: TapeEvent) -> tuple[str, TapeEvent]:
        """One event more; its entry."""
        entry_id = f"{len(self.entries) + 1}-0"
        self.entries.append((entry_id, event))
        self.books.append(book_after(event, self.factory.rows, entry_id))
        return self.entries[-1]

    def fill(self, *kinds: str) -> "Store":
        """An event of each kind."""
        for kind in kinds:
            self.add(getattr(self.factory, kind)())
        return self

    @property
    def book(self) -> Book | None:
        """What is stored."""
        return self.books[-1] if self.books else None


def a_follower(max_age: float | None = None, now: int = 0) -> Follower:
    """A follower of HK.00700."""
    return Follower("HK.00700", max_age, lambda: now)


def taken(follower: Follower, entry: tuple[str, TapeEvent]) -> list[str] | Hole:
    """The kinds of what an entry led to."""
    result = follower.take(entry[1], entry[0])
    return result if isinstance(result, Hole) else [event.kind for event in result]


def the_update(follower: Follower, entry: tuple[str, TapeEvent]) -> Update:
    """The one update that an entry led to."""
    result = follower.take(entry[1], entry[0])
    assert not isinstance(result, Hole)
    (update,) = result
    assert isinstance(update, Update)
    return update


def test_what_is_stored_comes_first_and_then_what_happens() -> None:
    """Entries at or below the book are dropped, those after it are applied."""
    store = Store().fill("baseline", "change")
    follower = a_follower()
    (state,) = follower.join(store.book)
    assert isinstance(state, State)
    assert state.kind == "state"
    assert [taken(follower, entry) for entry in store.entries] == [[], []]
    assert taken(follower, store.add(store.factory.change())) == ["change"]
    assert follower.book is not None
    assert follower.book.rows == store.factory.rows


def test_without_a_book_the_baseline_is_the_first_thing_told() -> None:
    """Nothing stored yet: wait for the publisher's first poll."""
    store = Store()
    follower = a_follower()
    assert follower.join(None) == []
    assert taken(follower, store.add(store.factory.baseline())) == ["baseline"]


def test_every_kind_of_event_is_followed() -> None:
    """Rollovers and corrections restate the list, a new epoch replaces it."""
    store = Store().fill("baseline")
    follower = a_follower()
    follower.join(store.book)
    kinds = ("change", "rollover", "change", "correction", "change", "new_epoch", "change")
    for kind in kinds:
        entry = store.add(getattr(store.factory, kind)())
        assert taken(follower, entry) == [entry[1].kind]
        assert follower.book is not None
        assert follower.book.rows == store.factory.rows


def test_an_older_epoch_is_dropped() -> None:
    """A publisher that was stopped for a while cannot take us back."""
    old, new = Store(), Store(epoch=1_778_198_400_001)
    follower = a_follower()
    new.fill("baseline")
    follower.join(new.book)
    assert taken(follower, ("9-0", old.factory.baseline())) == []


def test_a_missing_event_is_a_hole_and_changes_nothing() -> None:
    """The book is read again, and that is said."""
    store = Store().fill("baseline")
    follower = a_follower()
    follower.join(store.book)
    before = follower.book
    store.fill("change")
    hole = taken(follower, store.add(store.factory.change()))
    assert isinstance(hole, Hole)
    assert "does not follow" in hole.reason
    assert follower.book is before
    (told,) = follower.reread(store.book, hole.reason)
    assert isinstance(told, State)
    assert (told.kind, told.book, told.reason) == ("resync", follower.book, hole.reason)


def test_a_smaller_seq_behind_a_larger_one_is_a_hole_too() -> None:
    """The contract has no repeat under a later id."""
    store = Store().fill("baseline", "change")
    follower = a_follower()
    follower.join(store.book)
    assert isinstance(taken(follower, ("9-0", store.entries[0][1])), Hole)


def test_a_change_that_leads_elsewhere_than_its_hash_says_is_a_hole() -> None:
    """The hash is what both sides must agree on."""
    store = Store().fill("baseline")
    follower = a_follower()
    follower.join(store.book)
    entry_id, event = store.add(store.factory.change())
    forged = replace(event, data=replace(event.data, hash="0" * 16))
    assert isinstance(follower.take(forged, entry_id), Hole)


def test_a_store_that_lost_the_book_takes_ours_with_it() -> None:
    """No subscriber keeps a state that the store does not have."""
    store = Store().fill("baseline")
    follower = a_follower()
    follower.join(store.book)
    assert follower.is_ahead_of(None)
    (told,) = follower.reread(None, "gone")
    assert isinstance(told, State)
    assert told.book is None
    assert follower.book is None


def mark(store: Store, observed_at: int, *, ahead: int = 0) -> WatermarkEntry:
    """A watermark of the store's last event, or of one that comes after it."""
    factory = store.factory
    return WatermarkEntry(observed_at=observed_at, data_time=None, epoch=factory.epoch, seq=factory.seq + ahead)


def test_a_watermark_moves_the_age() -> None:
    """Nothing changed is not nobody looked."""
    store = Store().fill("baseline")
    now = store.factory.now_ms
    follower = a_follower(max_age=30, now=now + 60_000)
    follower.join(store.book)
    (stale,) = follower.check_age(now + 30_001)
    assert stale == Freshness("stale", "HK.00700", 30.001)
    assert follower.check_age(now + 30_002) == []
    assert follower.see(mark(store, now + 30_000), now + 30_500) is None
    assert follower.check_age(now + 30_500) == [Freshness("fresh", "HK.00700", 0.5)]
    assert follower.book is not None
    assert (follower.book.age, follower.book.is_stale) == (30.0, False)
    assert follower.stale_at == now + 60_000


def test_a_code_that_was_never_seen_becomes_stale_too() -> None:
    """Silence from the beginning is told as well."""
    follower = a_follower(max_age=30, now=1_000)
    assert follower.check_age(31_000) == []
    assert follower.check_age(31_001) == [Freshness("stale", "HK.00700", None)]


def test_a_watermark_ahead_for_ten_seconds_is_a_hole() -> None:
    """Not at once: the watermark may overtake its event, they travel on two streams."""
    store = Store().fill("baseline")
    follower = a_follower()
    follower.join(store.book)
    assert follower.see(mark(store, 0, ahead=1), 1_000) is None
    assert follower.see(mark(store, 0, ahead=1), 1_000 + ELSEWHERE_MS) is None
    assert isinstance(follower.see(mark(store, 0, ahead=1), 1_001 + ELSEWHERE_MS), Hole)


def test_a_watermark_behind_us_for_ten_seconds_is_a_hole_too() -> None:
    """The store may have lost what we have."""
    store = Store().fill("baseline", "change")
    follower = a_follower()
    follower.join(store.book)
    assert follower.see(mark(store, 0, ahead=-1), 1_000) is None
    assert isinstance(follower.see(mark(store, 0, ahead=-1), 1_001 + ELSEWHERE_MS), Hole)


def test_stamps_never_go_back_and_never_lie_ahead() -> None:
    """A publisher whose clock is ahead would hide that nobody looks; one that is slow tells what is known."""
    store = Store().fill("baseline")
    now = store.factory.now_ms
    follower = a_follower(max_age=30, now=now)
    follower.join(store.book)
    assert follower.book is not None
    data_time = follower.book.data_time
    follower.see(mark(store, now + 3_600_000), now)
    assert (follower.book.observed_at, follower.book.data_time) == (now, data_time)
    follower.see(mark(store, now - 10_000), now)
    assert follower.book.observed_at == now


def test_an_event_in_time_ends_the_waiting() -> None:
    """A watermark that was ahead and is caught up with was no hole."""
    store = Store().fill("baseline")
    follower = a_follower()
    follower.join(store.book)
    follower.see(mark(store, 0, ahead=1), 1_000)
    assert taken(follower, store.add(store.factory.change())) == ["change"]
    assert follower.see(mark(store, 0, ahead=1), 1_001 + ELSEWHERE_MS) is None


# --- an explicit start in the past ----------------------------------------------------------------------------------


def test_reading_from_the_earliest_gives_every_event_and_ends_at_the_book() -> None:
    """The baseline makes the list known, and the list is right at every step."""
    store = Store()
    tables = []
    for kind in ("baseline", "change", "rollover", "change"):
        store.fill(kind)
        tables.append(store.factory.rows)
    follower = a_follower()
    assert follower.resume(store.book, "0-0", None) == []
    for entry, rows in zip(store.entries, tables, strict=True):
        assert taken(follower, entry) == [entry[1].kind]
        assert follower.book is not None
        assert follower.book.rows == rows
    assert taken(follower, store.add(store.factory.change())) == ["change"]


def test_changes_before_the_first_complete_list_come_without_a_book() -> None:
    """What the list was then is not known; where the stored book begins, it is."""
    store = Store().fill("baseline", "change", "change", "change")
    follower = a_follower()
    follower.resume(store.book, "1-0", None)
    books = [the_update(follower, entry).book for entry in store.entries[1:]]
    assert books[:2] == [None, None]
    assert books[2] is not None
    assert books[2].rows == store.factory.rows


def test_a_position_goes_on_with_the_next_event() -> None:
    """Nothing twice, nothing left out, even if the stream is read from further back."""
    store = Store().fill("baseline", "change", "change")
    tip = (store.factory.epoch, 2)
    follower = a_follower()
    assert follower.resume(store.book, "0-0", tip) == []
    assert [taken(follower, entry) for entry in store.entries] == [[], [], ["change"]]


def test_a_position_at_the_end_begins_with_the_state() -> None:
    """Nothing happened meanwhile: the first thing told is the current list."""
    store = Store().fill("baseline", "change")
    (told,) = a_follower().resume(store.book, "2-0", (store.factory.epoch, 2))
    assert told.kind == "state"


def test_a_position_ahead_of_the_store_is_said() -> None:
    """Redis was restored from an older file."""
    store = Store().fill("baseline")
    (told,) = a_follower().resume(store.book, "1-0", (store.factory.epoch, 5))
    assert isinstance(told, State)
    assert told.kind == "resync"


def test_events_trimmed_before_the_position_was_resumed_are_said() -> None:
    """The rest is still told: it was asked for."""
    store = Store().fill("baseline", "change", "change", "change", "change")
    follower = a_follower()
    follower.resume(store.book, "2-0", (store.factory.epoch, 2))
    assert taken(follower, store.entries[3]) == ["resync", "change"]
    assert taken(follower, store.entries[4]) == ["change"]
    assert follower.book is not None
    assert follower.book.rows == store.factory.rows


def test_a_stored_book_whose_entry_was_trimmed_stands_in_for_it() -> None:
    """Everything up to it is gone; what comes after follows on from it."""
    store = Store().fill("baseline", "change", "change")
    follower = a_follower()
    follower.resume(store.book, "1-0", (store.factory.epoch, 1))
    assert taken(follower, store.add(store.factory.change())) == ["resync", "change"]
    assert follower.book is not None
    assert follower.book.rows == store.factory.rows


def test_a_tape_that_ends_before_the_stored_book_has_lost_what_led_to_it() -> None:
    """Nothing comes any more: the stored list stands in, and that is said."""
    store = Store().fill("baseline", "change", "change")
    follower = a_follower()
    follower.resume(store.book, "1-0", (store.factory.epoch, 1))
    (told,) = follower.reach_end()
    assert isinstance(told, State)
    assert (told.kind, told.book) == ("resync", follower.book)
    assert follower.reach_end() == []


def test_an_unreadable_event_of_the_past_is_said_and_the_rest_still_told() -> None:
    """Reading the book would skip what was asked for."""
    store = Store().fill("baseline", "change", "change", "change")
    follower = a_follower()
    follower.resume(store.book, "1-0", (store.factory.epoch, 1))
    assert follower.is_catching_up
    (told,) = follower.lose("cannot be read")
    assert told.kind == "resync"
    assert [taken(follower, entry) for entry in store.entries[2:]] == [["change"], ["change"]]
    assert follower.book is not None
    assert follower.book.rows == store.factory.rows


# --- whatever happens to the stream ---------------------------------------------------------------------------------

KINDS = st.sampled_from(["change", "change", "change", "change", "rollover", "correction", "new_epoch"])


@given(steps=st.lists(st.tuples(KINDS, st.sampled_from(["read", "read", "read", "lost", "twice"])), max_size=30))
def test_no_loss_goes_unsaid_and_none_is_made_up(steps: list[tuple[str, str]]) -> None:
    """Entries are lost or read twice: the list is that of the last entry read, and every hole is announced once."""
    store = Store().fill("baseline")
    follower = a_follower()
    follower.join(store.book)
    is_missing, announced, forced = False, 0, 0
    for kind, fate in steps:
        entry_id, event = store.add(getattr(store.factory, kind)())
        if fate == "lost":
            is_missing = True
            continue
        forced += is_missing and kind != "new_epoch"  # a new epoch's baseline needs nothing before it
        is_missing = False
        for _ in range(2 if fate == "twice" else 1):
            result = follower.take(event, entry_id)
            if isinstance(result, Hole):
                announced += 1
                follower.reread(store.book, result.reason)
        assert follower.book is not None
        assert follower.book.rows == store.factory.rows
        assert follower.book.version == (store.factory.epoch, store.factory.seq)
    assert announced == forced


@given(kinds=st.lists(KINDS, max_size=12), behind=st.integers(0, 12))
def test_a_start_anywhere_tells_every_event_after_it_once(kinds: list[str], behind: int) -> None:
    """From any position the rest comes whole and in order, and the list is right at the end."""
    store = Store().fill("baseline", *kinds)
    at = max(0, len(store.entries) - 1 - behind)
    tip = store.entries[at][1].data
    follower = a_follower()
    told = list(follower.resume(store.book, store.entries[at][0], (tip.epoch, tip.seq)))
    for entry_id, event in store.entries:
        result = follower.take(event, entry_id)
        assert not isinstance(result, Hole)
        told += result
    expected = [event.kind for _, event in store.entries[at + 1 :]] or ["state"]
    assert [event.kind for event in told] == expected
    assert follower.book is not None
    assert follower.book.rows == store.factory.rows
