"""What of a queue can have been seen by the refreshes so far, and what must have been: counters lie in between."""

from dataclasses import dataclass, field

from exporter.simulator import Truth
from exporter.tracking.lifecycle import Lifecycle


@dataclass
class Seen:
    """The items of one environment as a tracker met them.

    Attributes:
        drift: Items that stopped and were deleted, or came back to life, where no refresh has reason to look.
        late: Items of which it depends on circumstances whether they are taken for new: those that became visible
            after later ones, and those that came while nothing was counted.
        first: The states of all items when the watch began, or None before that.
        surely: Items that a refresh must have seen: those there at one that succeeded.
        maybe: Items that a refresh can have seen: those there at any.
        stopped_surely: Items that a refresh must have seen stopped.
        stopped_maybe: Items that a refresh can have seen stopped.
        paused: Whether the whole list is read once more before anything is counted again.
        unknown: Items that came back to life before that, unseen: nobody can know that they were counted as stopped.
    """

    drift: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    first: dict[str, str] | None = None
    surely: set[str] = field(default_factory=set)
    maybe: set[str] = field(default_factory=set)
    stopped_surely: set[str] = field(default_factory=set)
    stopped_maybe: set[str] = field(default_factory=set)
    paused: bool = False
    unknown: set[str] = field(default_factory=set)

    def begin(self, truth: Truth) -> None:
        """Remember what there is now that the whole list has been read, for the first time or once more."""
        states = {item.id: item.state for item in truth.items}
        if self.first is None:
            self.first = states
            self.maybe, self.stopped_maybe = set(), set()
        elif self.paused:
            self.late |= states.keys() - self.surely
            self.unknown |= {work_id for work_id in self.drift & states.keys() if states[work_id] != "stopped"}
            self.late |= {work_id for work_id, state in states.items() if state == "stopped"} - self.stopped_surely
        self.paused = False

    def see(self, truth: Truth, *, surely: bool) -> None:
        """Remember what can be seen now, or must have been."""
        items = {item.id for item in truth.items}
        stopped = {item.id for item in truth.items if item.state == "stopped"}
        self.maybe |= items
        self.stopped_maybe |= stopped
        if surely and self.first is not None:
            self.surely |= items
            self.stopped_surely |= stopped

    def agrees(self, counted: Lifecycle) -> None:
        """Every item is counted once, if it was certainly seen; and none that certainly was not."""
        if self.first is None:
            return
        new = self.surely - self.first.keys()
        perhaps = (self.maybe | self.surely) - self.first.keys()
        assert len(new - self.late) <= counted.created <= len(perhaps)
        old = {work_id for work_id, state in self.first.items() if state == "stopped"}
        stopped = self.stopped_surely - old - self.drift - self.late
        perhaps = (self.stopped_maybe | self.stopped_surely | self.drift) - (old - self.drift)
        assert len(stopped) <= counted.stopped <= len(perhaps) + len(self.unknown)
