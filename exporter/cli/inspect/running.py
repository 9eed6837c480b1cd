"""Reports of a running exporter, by its JSON API."""

import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import httpx
import msgspec

from exporter import advice
from exporter.cli.inspect.source import InspectedItem, InspectError
from exporter.web import schema
from exporter.web.selection import ItemSelection, Selection

TIMEOUT = 10.0

T = TypeVar("T")


class RunningExporter:
    """An exporter that runs somewhere.

    Args:
        url: Its address, with user and password where it asks for them; they are sent, and never shown.
        ca_file: Certificates to trust beside the machine's own; None for those alone.

    Raises:
        InspectError: The address is none, or the certificates cannot be read.
    """

    def __init__(self, url: str, ca_file: Path | None = None) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not host:
            raise InspectError("--url is not the address of an exporter; give one such as http://localhost:10190")
        address = f"[{host}]" if ":" in host else host
        path = parts.path.rstrip("/")
        self.shown = urlunsplit((parts.scheme, address if port is None else f"{address}:{port}", path, "", ""))
        auth = None
        if parts.username is not None:
            auth = httpx.BasicAuth(unquote(parts.username), unquote(parts.password or ""))
        self._http = httpx.AsyncClient(
            base_url=f"{self.shown}/api/{schema.VERSION}",
            auth=auth,
            timeout=TIMEOUT,
            verify=_certificates(ca_file),
            trust_env=host not in {"localhost", "127.0.0.1", "::1"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def fleet(self, selection: Selection) -> schema.Fleet:
        """The environments."""
        query = {
            "sort": ("-" if selection.descending else "") + selection.sort,
            "q": selection.search,
            "severity": selection.severity or "",
        }
        return await self._get("/environments", query, schema.Fleet)

    async def environment(self, target: str, selection: ItemSelection) -> schema.EnvironmentItems:
        """One environment and its live items."""
        query = {
            "limit": str(selection.limit),
            "state": selection.state or "",
            "work_id": selection.work_id or "",
        }
        return await self._get(f"/environments/{quote(target, safe='')}", query, schema.EnvironmentItems)

    async def item(self, target: str, work_id: str) -> InspectedItem:
        """One live item, as the exporter last read it."""
        report = await self.environment(target, ItemSelection(limit=1, work_id=work_id))
        if not report.live_items:
            raise InspectError(
                f"the exporter knows no live item {work_id} there: it has stopped, or never was; "
                "without --url the API itself is asked"
            )
        item, environment = report.live_items[0], report.environment
        known: dict[str, Any] = {name: getattr(item, name) for name in item.__struct_fields__}
        return InspectedItem(
            **known,
            environment_id=environment.id,
            environment=environment.name,
            account=environment.account,
            meaning=advice.of_state(item.state).meaning,
        )

    async def _get(self, path: str, query: dict[str, str], kind: type[T]) -> T:
        try:
            response = await self._http.get(path, params={name: value for name, value in query.items() if value})
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise InspectError(f"the exporter at {self.shown} cannot be reached: {reason}") from None
        match response.status_code:
            case 200:
                pass
            case 401 | 403:
                words = "asks for another user or password; give them in the address: --url https://user:password@…"
                raise InspectError(f"the exporter at {self.shown} {words}")
            case status:
                raise InspectError(self._problem(response) or f"the exporter at {self.shown} answered HTTP {status}")
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.MsgspecError:
            raise InspectError(f"what answers at {self.shown} is not an exporter that this version knows") from None

    @staticmethod
    def _problem(response: httpx.Response) -> str | None:
        try:
            return msgspec.json.decode(response.content, type=schema.Problem).error
        except msgspec.MsgspecError:
            return None


def _certificates(file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if file is not None:
        try:
            context.load_verify_locations(cafile=file)
        except (OSError, ssl.SSLError) as error:
            raise InspectError(f"cannot read certificates from {file}: {error.strerror or error}") from None
    return context
