"""A worker's view of the API: the four calls it makes, over HTTP."""

from typing import Any

import httpx
import msgspec


class Refused(Exception):
    """The API answered with something other than 200.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class WorkClient:
    """Makes a worker's calls.

    Args:
        http: Has the API's base URL and the token.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def poll(self, environment_id: str, *, worker_id: str | None, block_ms: int) -> dict[str, Any] | None:
        """Return an item to work on, or None (`work/poll`).

        Raises:
            Refused: The API said no.
            httpx.HTTPError: The response was not complete.
        """
        headers = {} if worker_id is None else {"worker-id": worker_id}
        params = {"block_ms": block_ms} if block_ms else {}
        return self._decoded(await self._http.get(f"{_work(environment_id)}/poll", params=params, headers=headers))

    async def ack(self, environment_id: str, work_id: str, *, worker_id: str | None) -> dict[str, Any]:
        """Claim an item (`work/ack`); raises as `poll` does."""
        headers = {} if worker_id is None else {"worker-id": worker_id}
        return self._item(await self._http.post(f"{_work(environment_id)}/{work_id}/ack", headers=headers))

    async def heartbeat(
        self, environment_id: str, work_id: str, *, expected: str | None, ttl_seconds: int | None
    ) -> dict[str, Any]:
        """Extend the lease (`work/heartbeat`); raises as `poll` does."""
        params: dict[str, str | int] = {}
        if expected is not None:
            params["expected_last_heartbeat"] = expected
        if ttl_seconds is not None:
            params["desired_ttl_seconds"] = ttl_seconds
        return self._item(await self._http.post(f"{_work(environment_id)}/{work_id}/heartbeat", params=params))

    async def stop(self, environment_id: str, work_id: str, *, force: bool = False) -> dict[str, Any]:
        """Ask for a stop, confirm one, or force it (`work/stop`); raises as `poll` does."""
        return self._item(await self._http.post(f"{_work(environment_id)}/{work_id}/stop", json={"force": force}))

    def _item(self, response: httpx.Response) -> dict[str, Any]:
        decoded = self._decoded(response)
        if decoded is None:
            raise httpx.DecodingError("null instead of an object", request=response.request)
        return decoded

    @staticmethod
    def _decoded(response: httpx.Response) -> dict[str, Any] | None:
        if response.status_code == 204:
            return None
        if response.status_code != 200:
            raise Refused(response.status_code)
        try:
            return msgspec.json.decode(response.content, type=dict[str, Any] | None)
        except msgspec.DecodeError as error:
            raise httpx.DecodingError(str(error), request=response.request) from None


def _work(environment_id: str) -> str:
    return f"/environments/{environment_id}/work"
