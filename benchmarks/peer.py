"""The peer: what most would write first, a pager on the official client that counts the states of all items."""

import itertools
from collections import Counter
from typing import Any

import qca

from benchmarks.child import Child, answer
from benchmarks.layout import PAGE


class Peer(Child):
    """The pager in a process of its own, while a ``with`` block lasts."""

    def __init__(self, base_url: str, token: str) -> None:
        super().__init__("benchmarks.peer")
        self.ask({"base_url": base_url, "token": token})

    def count(self, environment_id: str, pages: int | None) -> dict[str, int]:
        """Count an environment's items by state, all of them or those on the first pages."""
        counts: dict[str, int] = self.ask({"environment_id": environment_id, "pages": pages})
        return counts


def main() -> None:
    """Count what standard input asks for."""
    client: qca.Managed | None = None

    def respond(request: dict[str, Any]) -> object:
        nonlocal client
        if client is None:
            client = qca.Managed(pat=request["token"], base_url=request["base_url"])
            return None
        items = client.environments.work.list(request["environment_id"], limit=PAGE)
        most = None if request["pages"] is None else request["pages"] * PAGE
        return Counter(item.state for item in itertools.islice(items, most))

    answer(respond)


if __name__ == "__main__":
    main()
