"""The JSON Schemas that editors use: valid themselves, and of one mind with what the product reads."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from rules.clauses import Subject
from rules.columns import COLUMNS
from rules.loader import builtin_files
from rules.schema import schema as rules_schema
from rules.words import WordError, parse
from sync.schema import config as config_schema
from tests.rules.test_docs import EXAMPLES
from tests.rules.test_language import PAIRS, REFUSED
from tests.rules.test_loader import GOOD, LADDER
from tests.sync.town import Town
from tests.test_docs import page, uncommented

RULES = Draft202012Validator(rules_schema())
CONFIG = Draft202012Validator(config_schema())


def plain(value: Any) -> Any:
    """A TOML document as editors hand it to a schema: days and times are text."""
    match value:
        case dict():
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case date() | time():
            return value.isoformat()
    return value


def mistakes(validator: Draft202012Validator, text: str) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(plain(tomllib.loads(text)))]


@pytest.mark.parametrize("made", [rules_schema(), config_schema()], ids=["rules", "config"])
def test_a_schema_is_one(made: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(made)
    patterns = re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(made))
    assert patterns
    for pattern in map(json.loads, patterns):  # as JavaScript has it: no flags, no names
        assert re.compile(pattern)
        assert not re.search(r"\(\?[^:!]", pattern), pattern


@pytest.mark.parametrize("file", builtin_files(), ids=lambda file: file.stem)
def test_the_shipped_packs_fit_and_name_it(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert mistakes(RULES, text) == []
    assert text.startswith("#:schema ./rules.schema.json\n")


def test_what_init_writes_is_where_the_files_say(town: Town) -> None:
    assert town.unstuck("init", "new").code == 0
    for file in [town.folder / "new" / "config.toml", *(town.folder / "new" / "rules.d").glob("*.toml")]:
        named = re.match(r"#:schema (\S+)\n", file.read_text(encoding="utf-8"))
        assert named, file
        made = json.loads((file.parent / named[1]).read_text(encoding="utf-8"))
        assert mistakes(Draft202012Validator(made), file.read_text(encoding="utf-8")) == []
    assert town.unstuck("rules", "schema").json == rules_schema()
    assert town.unstuck("rules", "schema", "--config").json == config_schema()


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_of_the_docs_fit(text: str) -> None:
    assert mistakes(RULES, text) == []


def in_comment(lines: Sequence[str], number: int) -> bool:
    """Whether the table that a line is in is itself in a comment."""
    heads = [line for line in lines[:number] if re.match(r"#?\[", line)]
    return bool(heads) and heads[-1].startswith("#[")


def end_of(lines: Sequence[str], number: int, name: str) -> int:
    """Where the tables whose names begin so end."""
    others = (at for at in range(number, len(lines)) if re.match(r"#?\[", lines[at]) and name not in lines[at])
    return next(others, len(lines))


def variants() -> Iterator[str]:
    """The example config as it is, with everything taken out of its comments, and with each line of that alone.

    Of a source that is itself in a comment, all lines at once.
    """
    lines, all_lines = page("config.example.toml").splitlines(), uncommented().splitlines()
    yield "\n".join(lines)
    yield "\n".join(all_lines)
    for number, (line, bare) in enumerate(zip(lines, all_lines, strict=True)):
        if re.match(r"#\[sources\.\w+\]", line):
            end = end_of(lines, number, bare.rstrip("]"))
            yield "\n".join([*lines[:number], *all_lines[number:end], *lines[end:]])
        elif line != bare and not line.startswith("#[") and not in_comment(lines, number):
            yield "\n".join([*lines[:number], bare, *lines[number + 1 :]])


@pytest.mark.parametrize("text", [*variants()])
def test_the_example_config_fits(text: str) -> None:
    assert mistakes(CONFIG, text) == []


MEMORY = '[sources.tool]\nsystem = "memory"\nworld = "world.json"\n'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[sources]",
        MEMORY + "colour = 1",
        "sorces = 1\n" + MEMORY,
        "store = 5\n" + MEMORY,
        'rules = "a.toml"\n' + MEMORY,
        "[labels]\nveto_days = '90'\n" + MEMORY,
        "[labels]\nveto = 90\n" + MEMORY,
        "[brakes]\nshare = '30 %'\n" + MEMORY,
        "[writes]\napply = 'yes'\n" + MEMORY,
        "[calendar]\ndays_off = ['christmas']\n" + MEMORY,
        "[calendars.x]\nyear = 1\n" + MEMORY,
        '[sources.tool]\nsystem = "memroy"\nworld = "w"\n',
        '[sources.tool]\nsystem = "memory"\n',
        '[sources.tool]\nworld = "w"\n',
        '[sources.p]\nsystem = "msproject"\npath = 5\n',
        '[sources.p]\nsystem = "msproject"\npath = "x.xml"\nmax_mb = 1.5\n',
        MEMORY + '[sources.tool.statuses]\nDoing = "busy"\n',
        MEMORY + "[sources.tool.fields]\nsponsor = 5\n",
    ],
)
def test_a_broken_config_is_refused(text: str) -> None:
    assert mistakes(CONFIG, text)


WRONG = [
    ("", ""),
    ("[[rule]]", "[rule]"),
    ("[[rule]]", "[[rules]]"),
    ("says =", "sayz ="),
    ('sponsor = "missing"', 'sponser = "missing"'),
    ('sponsor = "missing"', "sponsor = 5"),
    ('sponsor = "missing"', 'sponsor = "over 30"'),
    ('sponsor = "missing"', 'sponsor = "not past"'),
    ('sponsor = "missing"', 'sponsor = " "'),
    ('sponsor = "missing"', "sponsor = []"),
    ('sponsor = "missing"', "sponsor = [1]"),
    ('sponsor = "missing"', 'updated_at = "past"'),
    ('sponsor = "missing"', 'due_at = "over 30"'),
    ('sponsor = "missing"', 'labels = "frozen"'),
    ('sponsor = "missing"', 'status_category = "doing"'),
    ('sponsor = "missing"', 'outcome_grade = "at most good"'),
    ('sponsor = "missing"', "fields = {}"),
    ('sponsor = "missing"', "any = []"),
    ('sponsor = "missing"', "any = [ {} ]"),
    ('sponsor = "missing"', "sql = 1"),
    ('sponsor = "missing"', ""),
    ('label = "pmo-no-sponsor"', ""),
    ('"no-sponsor"', '"No Sponsor"'),
    ("now = 2026-03-20", 'now = "today"'),
    ('item = { sponsor = " " }', "item = { sponsr = 'x' }"),
    ('item = { sponsor = " " }', "item = { age_days = 3 }"),
    ('item = { sponsor = " " }', "item = { due_at = 3 }"),
    ('item = { sponsor = " " }', "item = { unknown = ['colour'] }"),
    ('item = { sponsor = " " }', "item = { sponsor = ' ' }\ncalendar = 5"),
    ('item = { sponsor = " " }', "item = { sponsor = ' ' }\ncalendar = { region = 'BY' }"),
    ('item = { sponsor = " " }', "item = { sponsor = ' ' }\nhistory = []"),
    ('item = { sponsor = " " }', "item = { sponsor = ' ' }\nlater = [ { on = 2026-03-21 } ]"),
    ('expect = "pmo-no-sponsor"', ""),
    ('expect = "pmo-no-sponsor"', "expect = 5"),
]


@pytest.mark.parametrize(("old", "new"), WRONG)
def test_a_broken_rule_file_is_refused(old: str, new: str) -> None:
    assert old in GOOD
    assert mistakes(RULES, GOOD) == []
    assert mistakes(RULES, GOOD.replace(old, new, 1) if old else "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("over = 20, ", ""),
        ("over = 20", 'over = "20"'),
        ('"days_in_status"', '"days_in_statu"'),
        ("[rule.ladder]", "[[rule.ladder]]"),
        ("[rule.when]", 'label = "pmo-x"\n[rule.when]'),
        (', label = "pmo-b"', ""),
    ],
)
def test_a_broken_ladder_is_refused(old: str, new: str) -> None:
    assert old in LADDER
    assert mistakes(RULES, LADDER) == []
    assert mistakes(RULES, LADDER.replace(old, new, 1))


def rule_of(name: str, word: Any) -> dict[str, Any]:
    return {"rule": [{"id": "a", "label": "a", "says": "a", "when": {name: plain(word)}}]}


@pytest.mark.parametrize("cased", [str, str.upper, str.title, lambda text: f" \t{text} "])
def test_every_word_that_the_language_has_passes(cased: Any) -> None:
    for name, word in PAIRS:
        if name != "updated_at":
            told = cased(word) if isinstance(word, str) else word
            assert RULES.is_valid(rule_of(name, told)), (name, told)


_PIECES = st.sampled_from(
    ["not ", "missing", "never", " or ", "over", "at most", " 10 ", "days ago", "past", "has ", "x"]
)


@settings(deadline=None)
@given(
    st.sampled_from([name for name in COLUMNS if name != "updated_at"]),
    st.lists(_PIECES, max_size=5).map("".join)
    | st.text(max_size=8)
    | st.lists(st.text(max_size=4), max_size=2)
    | st.floats(),
)
def test_what_the_loader_takes_passes(name: str, word: Any) -> None:
    try:
        parse(Subject(name), word)
    except WordError:
        return
    assert RULES.is_valid(rule_of(name, word))


SEEN_BY_THE_LOADER = {
    "mising", "empty", "includes Ann", "missing or not Ann", "missing or present", "Not started", "['missing', 'Ann']",
    "on 2026-02-30", "over 99999999999999999999 days ago", "over -1", "over complete", "1.5", "nan",  # no such amount
    "2026-03-01",  # a text to the schema
}  # fmt: skip


@pytest.mark.parametrize(("name", "word"), [(name, word) for name, word, _ in REFUSED])
def test_most_of_what_makes_no_sense_is_refused_while_one_writes(name: str, word: Any) -> None:
    late = str(word) in SEEN_BY_THE_LOADER
    assert RULES.is_valid(rule_of(name, word)) == late
