"""Who may ask, and what: tokens, environments, unknown routes, error envelopes."""

import httpx
import pytest

from exporter.simulator import BASE_PATH, Options
from tests.simulator.account import ROOT, Account, refusal

UNAUTHENTICATED = (401, "authentication_error")
FORBIDDEN = (403, "permission_error")
MISSING = (404, "not_found_error")
INVALID = (400, "invalid_request_error")

ITEM = "/environments/{environment}/work/{work}"
WORK_ROUTES = [
    ("GET", "/environments/{environment}/work"),
    ("GET", "/environments/{environment}/work/poll"),
    ("GET", "/environments/{environment}/work/stats"),
    ("GET", ITEM),
    ("POST", ITEM),
    ("POST", ITEM + "/ack"),
    ("POST", ITEM + "/heartbeat"),
    ("POST", ITEM + "/stop"),
]
ROUTES = [("GET", "/environments"), ("GET", "/environments/{environment}"), *WORK_ROUTES]


async def ask(account: Account, method: str, path: str, **request: object) -> httpx.Response:
    work_id = account.simulation.create_work(account.id)
    url = path.format(environment=account.id, work=work_id)
    return await account.http.request(method, url, json={} if method == "POST" else None, **request)  # type: ignore[arg-type]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_every_route_works_with_the_token(account: Account, method: str, path: str) -> None:
    response = await ask(account, method, path)
    assert response.status_code == (409 if path.endswith("heartbeat") else 200)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_an_unknown_token_is_refused_everywhere(account: Account, method: str, path: str) -> None:
    response = await ask(account, method, path, headers={"authorization": "Bearer pt-wrong"})
    assert refusal(response) == UNAUTHENTICATED


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_token_without_rights_is_refused_everywhere(account: Account, method: str, path: str) -> None:
    account.simulation.tokens.forbid("pt-reader")
    response = await ask(account, method, path, headers={"authorization": "Bearer pt-reader"})
    assert refusal(response) == FORBIDDEN


async def test_an_api_key_is_no_token(account: Account) -> None:
    del account.http.headers["authorization"]
    response = await account.http.get("/environments", headers={"x-api-key": "pt-simulator"})
    assert refusal(response) == UNAUTHENTICATED


async def test_tokens_come_and_go(account: Account) -> None:
    account.simulation.tokens.accept("pt-second")
    second = {"authorization": "Bearer pt-second"}
    assert (await account.http.get("/environments", headers=second)).status_code == 200
    account.simulation.tokens.revoke("pt-second")
    assert refusal(await account.http.get("/environments", headers=second)) == UNAUTHENTICATED
    assert (await account.http.get("/environments")).status_code == 200


@pytest.mark.parametrize(("method", "path"), WORK_ROUTES)
async def test_an_unknown_environment_has_no_work(account: Account, method: str, path: str) -> None:
    response = await ask(account, method, path.replace("{environment}", "env_0"))
    assert refusal(response) == MISSING


@pytest.mark.parametrize(("method", "path"), WORK_ROUTES)
async def test_a_cloud_environment_has_no_work(method: str, path: str) -> None:
    async with Account(kind="cloud") as account:
        assert refusal(await ask(account, method, path)) == INVALID


@pytest.mark.parametrize(("method", "path"), WORK_ROUTES)
async def test_somebody_elses_environment_is_forbidden(method: str, path: str) -> None:
    async with Account(forbidden=True) as account:
        assert refusal(await ask(account, method, path)) == FORBIDDEN


async def test_a_cloud_environment_may_have_an_empty_queue() -> None:
    async with Account(Options(cloud_work="empty"), kind="cloud") as account:
        assert (await account.page())["data"] == []


async def test_an_archived_environment_serves_its_work() -> None:
    async with Account(archived=True) as account:
        work_id = account.simulation.create_work(account.id)
        assert (await account.get(work_id))["state"] == "queued"


async def test_an_archived_environment_may_be_closed() -> None:
    async with Account(Options(archived_work="forbidden"), archived=True) as account:
        assert refusal(await account.list()) == FORBIDDEN


@pytest.mark.parametrize(("method", "path"), [route for route in WORK_ROUTES if ITEM in route[1]])
async def test_an_unknown_item_is_missing(account: Account, method: str, path: str) -> None:
    response = await ask(account, method, path.replace("{work}", "work_0"))
    assert refusal(response) == MISSING


async def test_an_item_of_another_environment_is_missing(account: Account) -> None:
    other = account.simulation.create_environment("other")
    work_id = account.simulation.create_work(other)
    assert refusal(await account.http.get(f"{account.work}/{work_id}")) == MISSING


@pytest.mark.parametrize("url", [BASE_PATH + "/nowhere", BASE_PATH + "/environments/x/y", "/nowhere", "/"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_an_unknown_route_is_missing_in_the_envelope(account: Account, method: str, url: str) -> None:
    assert refusal(await account.http.request(method, ROOT + url)) == MISSING


async def test_an_error_echoes_the_clients_request_id(account: Account) -> None:
    response = await account.http.get("/environments/env_0", headers={"x-request-id": "mine"})
    assert response.json()["request_id"] == "mine"


async def test_request_ids_differ(account: Account) -> None:
    first, second = [(await account.http.get("/environments/env_0")).json()["request_id"] for _ in range(2)]
    assert first != second


async def test_older_envelopes_have_no_request_id() -> None:
    async with Account(Options(error_request_id=False)) as account:
        assert "request_id" not in (await account.http.get("/environments/env_0")).json()


async def test_an_error_names_the_parameter(account: Account) -> None:
    assert (await account.list(limit=0)).json()["error"]["param"] == "limit"
    assert "param" not in (await account.http.get("/environments/env_0")).json()["error"]


async def test_the_date_header_follows_the_simulated_clock(account: Account) -> None:
    response = await account.http.get("/environments")
    assert response.headers["date"] == "Wed, 01 Jul 2026 08:00:00 GMT"
    account.clock.advance(61.9)
    response = await account.http.get("/environments")
    assert response.headers["date"] == "Wed, 01 Jul 2026 08:01:01 GMT"


async def test_the_date_header_may_be_missing() -> None:
    async with Account(Options(date_header=False)) as account:
        assert "date" not in (await account.http.get("/environments")).headers
