"""A test kit for those who build on `brokertape.subscriber`: tapes without a Redis, a publisher or a gateway.

tape = MemoryTape()
async with subscribe(tape, ["HK.00700"]) as subscription:
    tape.trade("HK.00700", "Goldman Sachs", sold=66_400, price=466.0)
    event = await anext(subscription)
"""

from brokertape.testing.memory_tape import MemoryTape
from brokertape.testing.recording import RecordedTape, Recording, recorded_day

__all__ = ["MemoryTape", "RecordedTape", "Recording", "recorded_day"]
