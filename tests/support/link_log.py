"""What a client says of its link, kept to be waited for."""

from dataclasses import dataclass, field

from brokertape.gateway import LinkState
from support.waiting import until


@dataclass
class LinkLog:
    """Takes the place of `on_link`."""

    entries: list[tuple[LinkState, str]] = field(default_factory=list)

    def __call__(self, state: LinkState, reason: str) -> None:
        self.entries.append((state, reason))

    @property
    def states(self) -> list[LinkState]:
        """The states in order."""
        return [state for state, _ in self.entries]

    async def until(self, state: LinkState, times: int = 1) -> str:
        """Wait until `state` was reached so many times; the reason of the last."""
        await until(lambda: self.states.count(state) >= times)
        return [reason for reached, reason in self.entries if reached is state][-1]
