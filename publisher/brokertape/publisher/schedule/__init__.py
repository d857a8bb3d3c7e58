"""Which code to ask next: pure, time as an argument in seconds, no clock and no I/O. See docs/scheduling.md."""

from brokertape.publisher.schedule.entry import LONGEST_PAUSE_S
from brokertape.publisher.schedule.learned import CodeLearned, Learned
from brokertape.publisher.schedule.reasons import Reason
from brokertape.publisher.schedule.schedule import MOST_PROMISED, TICK_S, Schedule
from brokertape.publisher.schedule.view import CodeView

__all__ = ["LONGEST_PAUSE_S", "MOST_PROMISED", "TICK_S", "CodeLearned", "CodeView", "Learned", "Reason", "Schedule"]
