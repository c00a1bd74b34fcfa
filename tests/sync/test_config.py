"""config.toml: strict, all mistakes at once, no secret in it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from connectors import registry
from connectors.base import Option
from connectors.memory import MemoryConnector
from connectors.model import StatusCategory
from sync import config as configs
from sync.config import Config
from sync.stops import InvalidStop

LEAST = '[sources.tool]\nsystem = "memory"\nworld = "world.json"\n'


def load(folder: Path, text: str) -> Config:
    path = folder / "config.toml"
    path.write_text(text)
    return configs.load(path)


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(InvalidStop) as stop:
        load(folder, text)
    return [line.removeprefix(f"{folder / 'config.toml'}: ") for line in stop.value.lines]


def test_the_least_config_has_sane_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, LEAST)
    assert config.store == tmp_path / "unstuck.db"
    assert config.calendar.weekend == {5, 6}
    assert not config.apply
    assert config.brakes.share == 0.3
    assert config.sources["tool"].setup.options == {"world": "world.json", "page_size": 100}


def test_every_value_arrives(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        'timezone = "Europe/Berlin"\n[calendar]\nweekend = ["Friday"]\ndays_off = [2026-12-24]\n'
        "[writes]\napply = true\n"
        + LEAST
        + 'inherit = true\ncollections = ["Delivery"]\ntimezone = "America/New_York"\n'
        + '[sources.tool.fields]\nsponsor = "Executive sponsor"\n[sources.tool.statuses]\nWaiting = "in_progress"\n',
    )
    setup = config.sources["tool"].setup
    assert config.calendar.weekend == frozenset({4})
    assert config.calendar.days_off == (date(2026, 12, 24),)
    assert config.apply
    assert setup.fields == {"sponsor": "Executive sponsor"}
    assert setup.statuses == {"Waiting": StatusCategory.IN_PROGRESS}
    assert (setup.collections, str(setup.timezone)) == (("Delivery",), "America/New_York")
    assert config.sources["tool"].inherit


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        'stroe = "x.db"\ntimezone = "Mars"\n[brakes]\nshare = 30\n[calendar]\nweekend = ["sonday"]\n'
        '[sources.tool]\nsystem = "memory"\nworl = "w"\n[sources.tool.statuses]\nDoing = "busy"\n'
        '[sources.two]\nsystem = "basecamp"\n',
    )
    assert found == [
        'stroe: there is no such key; did you mean "store"?',
        'timezone: "Mars" is no time zone; write one like "Europe/Berlin" or "UTC"',
        'calendar.weekend: "sonday" is no day; did you mean "sunday"?',
        "brakes.share: must be a share over 0 and up to 1, and is 30: write 0.3 for 30 %",
        'sources.tool.worl: there is no such key; did you mean "world"?',
        "sources.tool.world: is missing: the JSON file that holds the tool's state, relative to the config's folder",
        'sources.tool.statuses."Doing": "busy" is no category; write one of todo, in_progress, done',
        f'sources.two.system: there is no connector for system "basecamp"; known are: {", ".join(registry.names())}',
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "sources: there is none; add a table [sources.NAME] with its system"),
        ("store = 7\n" + LEAST, "store: must be text in quotes, and is 7"),
        ("calendar = 7\n" + LEAST, "calendar: must be a table: write [calendar] and its keys below it"),
        ("sources = 7\n", "sources: there is none; add a table [sources.NAME] with its system"),
        ('[sources]\ntool = "memory"\n', "sources.tool: must be a table: write [sources.tool] and its keys below it"),
        ("brakes.count = true\n" + LEAST, "brakes.count: must be a whole number, and is true"),
        ("brakes.count = 0\n" + LEAST, "brakes.count: must be 1 or more, and is 0"),
        (
            'labels.prefix = " "\n' + LEAST,
            'labels.prefix: must not be empty: it marks which labels are ours; leave it out for "pmo-"',
        ),
        (
            LEAST + "fields.age_days = 'x'\n",
            "sources.tool.fields.age_days: is computed and cannot be mapped; leave it out",
        ),
        (
            '[sources.tool]\nsystem = "memory"\nworld = { env = "NOT_SET_ANYWHERE" }\n',
            "sources.tool.world: the environment variable NOT_SET_ANYWHERE is not set; set it where unstuck runs",
        ),
    ],
)  # fmt: skip
def test_a_mistake_says_where_what_and_what_to_do(tmp_path: Path, text: str, says: str) -> None:
    assert mistakes(tmp_path, text) == [says]


def test_a_file_that_is_no_config(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("store = \n")
    with pytest.raises(InvalidStop, match="is not valid TOML"):
        configs.load(path)
    path.write_bytes(b'store = "\xff"')
    with pytest.raises(InvalidStop, match="is not UTF-8"):
        configs.load(path)
    with pytest.raises(InvalidStop, match="there is no such config file"):
        configs.find(tmp_path / "other.toml")


@pytest.fixture
def secretive(monkeypatch: pytest.MonkeyPatch) -> None:
    class Secretive(MemoryConnector):
        options = (*MemoryConnector.options, Option("token", "a secret", "secret", required=True))

    monkeypatch.setattr(registry, "load", lambda _: Secretive)


@pytest.mark.usefixtures("secretive")
def test_secrets_are_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOL_TOKEN", "s3cr3t-made-up")
    (tmp_path / "token").write_text("from-a-file\n")
    (tmp_path / "token").chmod(0o600)
    config = load(tmp_path, LEAST + 'token = { env = "TOOL_TOKEN" }\n')
    assert config.sources["tool"].setup.options["token"] == "s3cr3t-made-up"
    assert "s3cr3t" not in config.sources["tool"].fingerprint
    config = load(tmp_path, LEAST + 'token = { file = "token" }\n')
    assert config.sources["tool"].setup.options["token"] == "from-a-file"


@pytest.mark.usefixtures("secretive")
def test_a_literal_secret_is_refused_and_not_repeated(tmp_path: Path) -> None:
    [mistake] = mistakes(tmp_path, LEAST + 'token = "s3cr3t-made-up"\n')
    assert "must not stand in the config itself" in mistake
    assert "s3cr3t" not in mistake
    [mistake] = mistakes(tmp_path, LEAST + 'token = { env = "NOT_SET_ANYWHERE" }\n')
    assert "NOT_SET_ANYWHERE is not set" in mistake


def test_the_fingerprint_follows_what_changes_items(tmp_path: Path) -> None:
    prints = {
        load(tmp_path, text).sources["tool"].fingerprint
        for text in (
            LEAST,
            LEAST + "inherit = true\n",
            LEAST + 'fields.sponsor = "S"\n',
            'timezone = "Asia/Tokyo"\n' + LEAST,
        )
    }
    assert len(prints) == 3  # inheritance is resolved in the store: it changes no item
