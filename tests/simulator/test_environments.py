"""The list of environments, and one of them."""

from typing import Any

import pytest

from exporter.simulator import Options
from tests.simulator.account import Account, body, refusal


async def names(account: Account, **query: str | int) -> list[str]:
    page = body(await account.http.get("/environments", params=query))
    return [environment["name"] for environment in page["data"]]


async def with_five(account: Account) -> Account:
    for number in range(5):
        account.clock.advance(60)
        account.simulation.create_environment(f"environment {number}")
    return account


async def test_an_environment_is_shown_with_its_kind_and_times(account: Account) -> None:
    shown = body(await account.http.get(f"/environments/{account.id}"))
    assert shown == {
        "id": account.id,
        "type": "environment",
        "name": "gpu-workers",
        "description": "",
        "config": {"type": "self_hosted"},
        "metadata": {},
        "archived_at": None,
        "created_at": "2026-07-01T08:00:00Z",
        "updated_at": "2026-07-01T08:00:00Z",
    }


async def test_a_cloud_environment_has_a_cloud_configuration() -> None:
    async with Account(kind="cloud") as account:
        config = body(await account.http.get(f"/environments/{account.id}"))["config"]
        assert config["type"] == "cloud"
        assert "networking" in config


async def test_the_newest_comes_first(account: Account) -> None:
    await with_five(account)
    assert await names(account) == [f"environment {number}" for number in (4, 3, 2, 1, 0)] + ["gpu-workers"]


async def test_archived_ones_are_shown_on_request(account: Account) -> None:
    archived = account.simulation.create_environment("old", archived=True)
    assert await names(account) == ["gpu-workers"]
    assert await names(account, include_archived="true") == ["old", "gpu-workers"]
    assert body(await account.http.get(f"/environments/{archived}"))["archived_at"] == "2026-07-01T08:00:00Z"


async def test_an_environment_can_be_archived_renamed_and_deleted_later(account: Account) -> None:
    account.simulation.rename_environment(account.id, "trainers")
    assert await names(account) == ["trainers"]
    account.simulation.archive_environment(account.id)
    assert await names(account) == []
    account.simulation.delete_environment(account.id)
    assert await names(account, include_archived="true") == []
    assert refusal(await account.http.get(f"/environments/{account.id}")) == (404, "not_found_error")


async def test_forbidden_ones_are_not_listed(account: Account) -> None:
    account.simulation.create_environment("theirs", forbidden=True)
    assert await names(account) == ["gpu-workers"]


async def walk(account: Account, limit: int) -> list[list[str]]:
    pages: list[list[str]] = []
    query: dict[str, Any] = {"limit": limit}
    while True:
        page = body(await account.http.get("/environments", params=query))
        pages.append([environment["name"] for environment in page["data"]])
        if not page["has_more"]:
            assert page["next_page"] is None
            return pages
        assert page["next_page"] == page["last_id"]
        query["page"] = page["next_page"]


async def test_pages_go_from_newest_to_oldest(account: Account) -> None:
    await with_five(account)
    pages = await walk(account, 4)
    assert pages == [
        ["environment 4", "environment 3", "environment 2", "environment 1"],
        ["environment 0", "gpu-workers"],
    ]


async def test_a_deleted_environment_is_still_a_cursor(account: Account) -> None:
    await with_five(account)
    page = body(await account.http.get("/environments", params={"limit": 2}))
    account.simulation.delete_environment(page["last_id"])
    assert await names(account, page=page["next_page"], limit=2) == ["environment 2", "environment 1"]


async def test_times_bound_the_list(account: Account) -> None:
    await with_five(account)
    since, until = "2026-07-01T08:02:00Z", "2026-07-01T10:04:00+02:00"
    assert await names(account, **{"created_at[gte]": since}) == [f"environment {number}" for number in (4, 3, 2, 1)]
    assert await names(account, **{"created_at[gte]": since, "created_at[lte]": until}) == [
        f"environment {number}" for number in (3, 2, 1)
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "many"},
        {"include_archived": "perhaps"},
        {"created_at[gte]": "yesterday"},
        {"created_at[lte]": "2026-07-01"},
        {"page": "env_1", "after_id": "env_1"},
    ],
)
async def test_bad_queries_are_refused(account: Account, query: dict[str, str]) -> None:
    response = await account.http.get("/environments", params=query)
    assert refusal(response) == (400, "invalid_request_error")


async def test_an_older_deployment_caps_the_limit() -> None:
    async with Account(Options(environments_over_limit="cap")) as account:
        assert await names(account, limit=500) == ["gpu-workers"]
