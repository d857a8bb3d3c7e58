"""Reading the tape: what services and strategy engines import.

async with subscribe("redis://localhost:6379", codes=["HK.00700"], max_age=30) as tape:
    async for event in tape:
        book = tape.book("HK.00700")

Without an event loop it is `with subscribe_sync(…) as tape` and `for event in tape`.
"""

from brokertape.subscriber.events import Connection, Event, Freshness, State, Status, Update
from brokertape.subscriber.frames import events_frame, frame, history_frame
from brokertape.subscriber.subscription import Subscription, subscribe
from brokertape.subscriber.sync import SyncSubscription, subscribe_sync
from brokertape.subscriber.view import BookView
from brokertape.tape.changes import Change, Flow
from brokertape.tape.rows import Row

__all__ = [
    "BookView",
    "Change",
    "Connection",
    "Event",
    "Flow",
    "Freshness",
    "Row",
    "State",
    "Status",
    "Subscription",
    "SyncSubscription",
    "Update",
    "events_frame",
    "frame",
    "history_frame",
    "subscribe",
    "subscribe_sync",
]
