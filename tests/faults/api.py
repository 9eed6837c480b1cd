"""One account's API, which has a fault in one of its environments while it is told to."""

import json
from contextlib import AsyncExitStack
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from tests.api.harness import ENVIRONMENT, Json, envelope, item
from tests.api.raw import Raw, Talk, answer
from tests.faults.matrix import OK, Fault
from tests.faults.places import Place, authority, certified
from tests.faults.talks import JSON, Asked, body, right, says
from tests.support.waiting import free_port

NEIGHBOUR = "env_neighbour"


class Faulty(Raw):
    """A server that answers as the API does, but for the fault, and counts what it is asked.

    Attributes:
        fault: What is wrong in the one environment while it is `broken`.
        host: Its address, or a name where that is what the fault is about.
        port: Where it listens.
        address: The API's address.
        neighbour: How many active items the other environment has.
    """

    def __init__(self, fault: Fault) -> None:
        place = fault.talk if isinstance(fault.talk, Place) else None
        self.port = free_port()
        super().__init__(b"", port=self.port, tls=certified(authority()) if place is not None and place.tls else None)
        named = place is not None and place.name is not None
        self.host = f"api-{self.port}.test" if named else "127.0.0.1"
        self.fault = fault
        self.neighbour = 1
        self.broken = False
        self.address = f"http{'s' if self._tls else ''}://{self.host}:{self.port}/api/v1/cloud"
        self._place = place
        self._listening = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._listening.enter_async_context(self.listening())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._listening.aclose()

    async def turn(self, *, broken: bool) -> None:
        """Begin with the fault, or end it."""
        self.broken = broken
        if self._place is not None:
            await self._listening.aclose()  # so that whoever is connected must connect anew
            there = self._place.take(self.port) if broken and self._place.name is None else self.listening()
            await self._listening.enter_async_context(there)

    @property
    def unresolved(self) -> str | None:
        """What the name of the host leads to with the fault, if the fault is the resolver's."""
        return None if self._place is None else self._place.name

    def asked(self) -> int:
        """Requests for the environment with the fault that have arrived."""
        return sum(ENVIRONMENT in head for head in self.heads)

    def choose(self, head: str) -> Talk:
        """What to say to a request."""
        address = urlsplit(head.split(" ")[1])
        environment, *rest = address.path.partition("/environments/")[2].split("/")
        query = dict(parse_qsl(address.query))
        items = list(self.fault.items) if environment == ENVIRONMENT else self._neighbours_items()
        if self.broken and environment == ENVIRONMENT and (rest == ["work"] or self._meets_everything):
            talk = self.fault.talk
            if not isinstance(talk, Place):
                return talk.answer(query, items) if isinstance(talk, Asked) else talk
        found = _answer(rest, query, items)
        return says(found) if self.broken and self.unresolved is not None else found  # each needs the name anew

    @property
    def _meets_everything(self) -> bool:
        """Whether it is not the list's content that is wrong, but every answer about the environment."""
        return self.fault.reason != OK and self.fault.group in ("connection", "head", "body", "status")

    def _neighbours_items(self) -> list[Json]:
        return [item(id=f"work_{number:032x}", environment_id=NEIGHBOUR) for number in range(self.neighbour)]


def _answer(rest: list[str], query: dict[str, str], items: list[Json]) -> bytes:
    """What the API says of an environment with these items."""
    match rest:
        case ["work"]:
            return body(right(query, items))
        case ["work", "stats"]:
            queued = sum(each["state"] == "queued" for each in items)
            return body({"type": "work_queue_stats", "depth": queued, "pending": 0, "workers_polling": 1})
        case ["work", work_id] if found := [each for each in items if each["id"] == work_id]:
            return body(found[0])
        case _:
            missing = json.dumps(envelope("not_found_error", "no such item")).encode()
            return answer(missing, JSON, status="404 Not Found")
