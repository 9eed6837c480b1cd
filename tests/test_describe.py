"""The configuration in force, as everybody may see it."""

from pathlib import Path

import msgspec
import yaml

from exporter.config import Account, Config, History, Links, describe


def test_it_shows_every_key_with_defaults_filled_in() -> None:
    shown = yaml.safe_load(describe(Config()))
    assert set(shown) == set(Config.__struct_fields__)
    assert shown["accounts"][0]["token_env"] == "QODER_PAT"
    assert shown["scrape"]["timeout"] == "10s"
    assert shown["history"]["checkpoint"] is None


def test_it_is_the_configuration_that_it_describes(tmp_path: Path) -> None:
    config = Config(
        accounts=(Account(name="ärger: #1", token_file=tmp_path / "token"),), history=History(checkpoint=tmp_path / "x")
    )
    shown = yaml.safe_load(describe(config))
    assert shown["accounts"][0]["name"] == "ärger: #1"
    assert shown["accounts"][0]["token_file"] == str(tmp_path / "token")
    assert shown["history"]["checkpoint"] == str(tmp_path / "x")


def test_credentials_in_an_address_are_hidden() -> None:
    account = Account(base_url="https://user:hunter2@api.example.org/x?key=hunter2", token_env="T")
    text = describe(msgspec.structs.replace(Config(accounts=(account,)), links=Links(session="https://[bad/hunter2")))
    assert "hunter2" not in text
    assert "https://<hidden>@api.example.org/x?<hidden>" in text
