"""The keys of alerting groups, and what a sink's worker reads and gives up on.

<prefix>:x:{alerts:<group>}:state         hash    what the rules remember
<prefix>:x:{alerts:<group>}:outbox        stream  what they have found, for the sinks
<prefix>:x:{alerts:<group>}:dead:<group>  stream  what a sink gave up on
"""

from dataclasses import dataclass

from brokertape.tape.keys import Keys, check_name
from brokertape.workers.channel import Stream

_BETWEEN = "."


@dataclass(frozen=True, slots=True)
class AlertKeys:
    """The keys of one alerting group, all in one Cluster slot."""

    keys: Keys
    group: str

    @property
    def state(self) -> str:
        """Hash of what is remembered."""
        return self._of("state")

    @property
    def outbox(self) -> str:
        """Stream of what has been found."""
        return self._of("outbox")

    def dead(self, sink_group: str) -> str:
        """Stream of what a sink gave up on."""
        return self._of(f"dead:{check_name('group', sink_group)}")

    def _of(self, name: str) -> str:
        return self.keys.private(name, slot_of=f"alerts:{check_name('group', self.group)}")


def sink_group(alert_group: str, sink: str) -> str:
    """The consumer group of a sink: `<alerting group>.<sink>`."""
    return f"{alert_group}{_BETWEEN}{sink}"


def outbox_streams(keys: Keys, group: str) -> list[Stream]:
    """The outbox that a sink's group reads; none for a group of another kind."""
    alert_group, between, _ = group.rpartition(_BETWEEN)
    if not between:
        return []
    alert_keys = AlertKeys(keys, alert_group)
    return [Stream(alert_keys.outbox, alert_keys.dead(group))]
