"""Reading the tape: what services and strategy engines import.

async with subscribe("redis://localhost:6379", codes=["HK.00700"], max_age=30) as tape:
    async for event in tape:
        book = tape.book("HK.00700")
"""

from brokertape.subscriber.events import Connection, Event, Freshness, State, Status, Update
from brokertape.subscriber.subscription import Subscription, subscribe
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
    "Update",
    "subscribe",
]
