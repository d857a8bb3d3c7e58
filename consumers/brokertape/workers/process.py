"""What a process that does nothing but work does to itself first."""

import gc

GC_THRESHOLD = 50_000


def settle_memory() -> None:
    """Spare the garbage collector what is not garbage: only for a process that is a worker's own.

    Events themselves are none of its business (see `tape._model`): reading them takes as long without this. It is for
    what handlers keep, as the books and windows of alerts.
    """
    gc.freeze()  # what is loaded stays
    gc.set_threshold(GC_THRESHOLD, 10, 10)
