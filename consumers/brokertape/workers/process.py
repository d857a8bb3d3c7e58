"""What a process that does nothing but work does to itself first."""

import gc

GC_THRESHOLD = 50_000


def settle_memory() -> None:
    """Spare the garbage collector what is not garbage: only for a process that is a worker's own.

    Decoded events are many small objects without cycles. With Python's own thresholds, half the time of decoding 500
    events that are kept until they are handled goes into looking through them for garbage (213 µs an event beside 91;
    49 when none is kept).
    """
    gc.freeze()  # what is loaded stays
    gc.set_threshold(GC_THRESHOLD, 10, 10)
