"""httpx's client without the steps that a plain GET of this API does not need."""

from collections.abc import Mapping
from functools import lru_cache

import httpx

ADDRESSES_KEPT = 1024
"""Addresses of which the parsed form is kept, about 1 KB each: a refresh asks for much the same as the one before."""


class HTTPClient(httpx.AsyncClient):
    """Sends GET requests straight to the transport.

    httpx's own `get` parses each address twice and walks through authentication flows, redirects, hooks and a
    cookie jar that the standard library feeds: a quarter of a request's CPU time. Cookies are kept all the same.

    Args:
        headers: What every request says.
        timeout: Seconds for each step of a request.
        transport: What sends them.
    """

    def __init__(self, *, headers: Mapping[str, str], timeout: float, transport: httpx.AsyncBaseTransport) -> None:
        super().__init__(headers=headers, timeout=timeout, transport=transport, follow_redirects=False, trust_env=False)
        self._every = list(self.headers.multi_items())
        self._extensions = {"timeout": self.timeout.as_dict()}

    async def fetch(self, url: str, query: Mapping[str, str], headers: Mapping[str, str]) -> httpx.Response:
        """Return the whole answer to a GET request.

        Raises:
            httpx.TransportError: There is none.
        """
        if self.is_closed:
            raise RuntimeError("the client has been closed")
        request = httpx.Request(
            "GET",
            _address(url, tuple(query.items())),
            headers=[*self._every, *headers.items()],
            cookies=self.cookies or None,
            extensions=self._extensions,
        )
        response = await self._transport_for_url(request.url).handle_async_request(request)
        response.request = request
        try:
            await response.aread()
        finally:
            await response.aclose()
        if "set-cookie" in response.headers:
            self.cookies.extract_cookies(response)
        return response


@lru_cache(maxsize=ADDRESSES_KEPT)
def _address(url: str, query: tuple[tuple[str, str], ...]) -> httpx.URL:
    return httpx.URL(url, params=query) if query else httpx.URL(url)
