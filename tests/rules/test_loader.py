"""Rule files: what is wrong is found, all of it, at its place; what is right is data."""

from __future__ import annotations

import contextlib
import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.loader import LARGEST, RuleErrors, builtin_files, lint, load, schema
from rules.places import Places
from rules.reader import ONLY_ON
from rules.ruleset import On, Rollout

GOOD = """
[[rule]]
id = "no-sponsor"
label = "pmo-no-sponsor"
says = "No sponsor for {title}, {fields.Cost centre}"
[rule.when]
sponsor = "missing"
[[rule.test]]
now = 2026-03-20
item = { sponsor = " " }
expect = "pmo-no-sponsor"
"""
LADDER = """
[[rule]]
id = "stuck"
says = "stuck"
[rule.when]
status_category = "in progress"
[rule.ladder]
measure = "days_in_status"
steps = [ { over = 10, label = "pmo-a" }, { over = 20, label = "pmo-b" } ]
"""


def write(folder: Path, text: str | bytes, name: str = "rules.toml") -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def problems(folder: Path, text: str | bytes) -> list[str]:
    """The sentences of a file's mistakes, without the folder."""
    with pytest.raises(RuleErrors) as caught:
        load([write(folder, text)], prefix="pmo-")
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_a_good_file_loads_and_its_sha_is_of_the_meaning_alone(tmp_path: Path) -> None:
    ruleset = load([write(tmp_path, GOOD)], prefix="pmo-")
    assert ruleset.labels == {"pmo-no-sponsor"}
    assert ruleset.rules[0].line == 2
    same = load([write(tmp_path, "\ufeff# a comment\r\n" + GOOD.replace("\n", "\r\n"), "other.toml")], prefix="pmo-")
    assert same.sha == ruleset.sha
    other = load([write(tmp_path, GOOD.replace('"missing"', '"present"'))], prefix="pmo-")
    assert other.sha != ruleset.sha


SLOWLY = GOOD.replace("says =", "rollout = ROLLOUT\nsays =")


@pytest.mark.parametrize(
    ("text", "rollout"),
    [
        ('"now"', Rollout(now=True)),
        ("{ per_run = 25 }", Rollout(per_run=25)),
        ('{ first = " Delivery " }', Rollout(first="Delivery")),
        ('{ per_run = 1, first = "B1" }', Rollout(per_run=1, first="B1")),
    ],
)
def test_a_rollout(tmp_path: Path, text: str, rollout: Rollout) -> None:
    [rule] = load([write(tmp_path, SLOWLY.replace("ROLLOUT", text))], prefix="pmo-").rules
    assert rule.rollout == rollout
    assert load([write(tmp_path, GOOD)], prefix="pmo-").rules[0].rollout == Rollout()


@pytest.mark.parametrize(
    ("old", "new", "means_the_same"),
    [
        ("No sponsor for", "Nobody stands for", True),
        ("says =", 'rollout = "now"\nsays =', True),
        ("now = 2026-03-20", "now = 2026-03-21", True),
        ("[[rule]]", "# a comment\n[[rule]]", True),
        ('sponsor = "missing"', 'sponsor = "present"', False),
        ('label = "pmo-no-sponsor"', 'label = "pmo-other"', False),
    ],
)
def test_a_rules_meaning_is_what_it_labels(tmp_path: Path, old: str, new: str, means_the_same: bool) -> None:
    text = GOOD.partition("[[rule.test]]")[0] if "label" in old else GOOD
    before, after = (
        load([write(tmp_path, each)], prefix="pmo-").rules[0].meaning for each in (text, text.replace(old, new))
    )
    assert (before == after) is means_the_same


def test_a_ladders_meaning_has_its_steps(tmp_path: Path) -> None:
    before, after = (
        load([write(tmp_path, each)], prefix="pmo-").rules[0].meaning
        for each in (LADDER, LADDER.replace("over = 20", "over = 21"))
    )
    assert before != after


WRONG: list[tuple[str, str, str]] = [
    (SLOWLY.replace("ROLLOUT", '"later"'), ":5:", 'write "now", { per_run = 25 } or'),
    (SLOWLY.replace("ROLLOUT", "{}"), ":5:", 'write "now", { per_run = 25 } or'),
    (SLOWLY.replace("ROLLOUT", "{ per_run = 0 }"), ":5:", "1 or more"),
    (SLOWLY.replace("ROLLOUT", "{ per_run = true }"), ":5:", "1 or more"),
    (SLOWLY.replace("ROLLOUT", "{ per_rum = 3 }"), ":5:", 'did you mean "per_run"'),
    (SLOWLY.replace("ROLLOUT", '{ first = "" }'), ":5:", "rollout.first: this must be a text"),
    (GOOD.replace("pmo-no-sponsor", "PMO-exempt"), ":4:", "must begin"),
    (GOOD.replace("pmo-no-sponsor", "pmo-exempt"), ":4:", "how people exempt an item"),
    (LADDER.replace("pmo-b", "pmo-exempt-until-2026-01-01"), ":9:", "how people exempt an item"),
    (GOOD.replace("says =", "sayz ="), ":5:", 'unknown key "sayz" (did you mean "says"?)'),
    (
        GOOD.replace('sponsor = "missing"', 'sponser = "missing"'),
        ":7:",
        'no column "sponser" (did you mean "sponsor"?)',
    ),
    (GOOD.replace('sponsor = "missing"', 'sponsor = "mising"'), ":7:", 'sponsor: "mising" is no word'),
    (GOOD.replace('sponsor = "missing"', 'updated_at = "past"'), ":7:", "our own labels move it"),
    (GOOD.replace('sponsor = "missing"', 'labels = "has pmo-x"'), ":7:", "which rules cannot see"),
    (GOOD.replace('sponsor = "missing"', ""), ":6:", "never means everything"),
    (GOOD.replace('[rule.when]\nsponsor = "missing"', ""), ":2:", "never means everything"),
    (GOOD.replace('sponsor = "missing"', "any = []"), ":7:", "any: the list is empty"),
    (GOOD.replace('sponsor = "missing"', 'any = [ { sponsr = "x" } ]'), ":7:", 'no column "sponsr"'),
    (GOOD.replace('sponsor = "missing"', 'any = "x"'), ":7:", "a condition is a table"),
    (GOOD.replace('sponsor = "missing"', 'sql = "1"'), ":7:", "the SQL names no column"),
    (GOOD.replace('sponsor = "missing"', 'fields.\'a"b\' = "missing"'), ":7:", "cannot hold quotes"),
    (
        GOOD.replace('sponsor = "missing"', "none = " + "[{none=" * 12 + '{sponsor="missing"}' + "}]" * 12),
        ":7:",
        "nested more than",
    ),
    (GOOD.replace('label = "pmo-no', 'label = "no'), ":4:", 'must begin with "pmo-"'),
    (GOOD.replace('label = "pmo-no-sponsor"', 'label = "pmo-"'), ":4:", "more than its prefix"),
    (GOOD.replace('"no-sponsor"', '"No Sponsor"'), ":3:", "lower-case letters"),
    (GOOD.replace("{title}", "{titel}"), ":5:", 'no column "titel" (did you mean "title"?)'),
    (GOOD.replace("{title}", "{title"), ":5:", "a brace stands alone"),
    (GOOD.replace('says = "', 'says = 5 # "'), ":5:", "not 5"),
    (GOOD + GOOD, ":13:", "this id is taken by the rule in"),
    (
        GOOD.replace('expect = "pmo-no-sponsor"', 'expect = "pmo-no-sponsr"'),
        ":11:",
        'never puts "pmo-no-sponsr" (did you mean',
    ),
    (GOOD.replace('expect = "pmo-no-sponsor"', ""), ":8:", "or [] for none"),
    (GOOD.replace('item = { sponsor = " " }', "item = { age_days = 3 }"), ":10:", "worked out from created_at"),
    (GOOD.replace('item = { sponsor = " " }', "item = { sponsr = 3 }"), ":10:", 'did you mean "sponsor"?'),
    (GOOD.replace('item = { sponsor = " " }', "item = { due_at = 3 }"), ":10:", "a day such as"),
    (GOOD.replace("now = 2026-03-20", 'now = "today"'), ":9:", "now = 2026-03-20"),
    (LADDER.replace("over = 20", "over = 10"), ":9:", "steps must rise, and 10 comes after 10"),
    (LADDER.replace("pmo-b", "pmo-a"), ":9:", "two steps have one label"),
    (LADDER.replace("over = 20, ", ""), ":9:", "each step needs a number"),
    (LADDER.replace("over = 20", "over = 20.5"), ":9:", "counts whole days"),
    (LADDER.replace('"days_in_status"', '"days_in_statu"'), ":8:", 'did you mean "days_in_status"?'),
    (LADDER.replace("[rule.ladder]", 'label = "pmo-x"\n[rule.ladder]'), ":7:", 'no column "label"'),
    (LADDER.replace("[rule.when]", 'label = "pmo-x"\n[rule.when]'), ":5:", "a label or a ladder, not both"),
    (LADDER + "[[rule.ladder.override]]\nsteps = []\n", ":10:", "never means everything"),
    ("", ":1:", "the file is empty"),
    ("# nothing but a comment\n", ":1:", "the file is empty"),
    ("rules = 1", ":1:", 'unknown key "rules"'),
    ("[rule]\nid = 1", ":1:", "two pairs of brackets"),
    ("[[rule]]\nid = \n", ":2:", "this is not TOML"),
    ('[[rule]]\nid = "', ":2:", "this is not TOML"),
]


@pytest.mark.parametrize(("text", "place", "why"), WRONG)
def test_each_mistake_is_told_in_one_line_with_its_place(tmp_path: Path, text: str, place: str, why: str) -> None:
    found = problems(tmp_path, text)
    assert any(line.startswith(f"rules.toml{place} ") and why in line for line in found), found
    assert not any("\n" in line for line in found)


def test_the_form_of_a_mistake(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace('"missing"', '"mising"'))
    assert found == [
        'rules.toml:7: rule "no-sponsor": sponsor: "mising" is no word of the rule language (did you mean "missing"?)'
        '; for a text of just this name write ["mising"]'
    ]


def test_all_mistakes_of_all_files_come_at_once(tmp_path: Path) -> None:
    first = write(tmp_path, GOOD.replace('"missing"', '"mising"').replace("says =", "sayz ="), "a.toml")
    second = write(tmp_path, b"\xff\xfe[[rule]]", "b.toml")
    with pytest.raises(RuleErrors) as caught:
        load([second, first, tmp_path / "absent.toml", tmp_path])
    found = [str(problem) for problem in caught.value.problems]
    assert len(found) == 6
    assert found[1:4] == sorted(found[1:4])
    assert any("b.toml:1: the file is not UTF-8" in line for line in found)
    assert any("absent.toml:1: there is no such file" in line for line in found)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    assert "over 1 MB" in problems(tmp_path, b"#" * (LARGEST + 1))[0]


def test_a_deeply_nested_file_is_one_sentence(tmp_path: Path) -> None:
    assert "nested too deeply" in problems(tmp_path, "a = " + "[" * 20_000)[0]


def test_no_files_are_no_rules() -> None:
    with pytest.raises(RuleErrors, match="there is no rule file"):
        load([])


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.data())
def test_a_file_cut_or_garbled_anywhere_is_rules_or_mistakes_and_nothing_else(
    tmp_path: Path, data: st.DataObject
) -> None:
    text = GOOD + LADDER
    start, end = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    filler = data.draw(st.sampled_from(["", "[", "]", '"', "=", "\n", "{}", "5", "[[rule]]\n"]))
    file = write(tmp_path, text[:start] + filler + text[end:])
    with contextlib.suppress(RuleErrors):
        assert load([file], prefix="pmo-").rules


def test_lines_are_found_past_strings_arrays_and_comments() -> None:
    text = '''# [[rule]]
[[rule]]
a = """
[[rule]]
b = 1
"""
"quoted.key" = 'x' # ] }
list = [ # [
  { x = "]" },
["rule"],
]
after = 1
[rule.when]
a.b = 1
[[rule.test]]
[[rule.test]]
now = 1
[[rule]]
c = {d = "\\"}"}
'''
    places = Places(text)
    assert tomllib.loads(text)
    assert places.line(("rule", 0)) == 2
    assert places.line(("rule", 0, "quoted.key")) == 7
    assert places.line(("rule", 0, "list", 0, "x")) == 8
    assert places.line(("rule", 0, "after")) == 12
    assert places.line(("rule", 0, "when", "a", "b")) == 14
    assert places.line(("rule", 0, "test", 1, "now")) == 17
    assert places.line(("rule", 1, "c", "d")) == 19


def test_lint_tells_what_will_surprise(tmp_path: Path) -> None:
    twin = LADDER.replace("pmo-a", "PMO-No sponsor")
    ruleset = load([write(tmp_path, GOOD), write(tmp_path, twin, "twin.toml")])
    found = [str(problem).rsplit("/", 1)[-1] for problem in lint(ruleset, {"jira": " "}, {"sheet": 10})]
    assert (
        'rules.toml:2: rule "no-sponsor": label: the source "sheet" holds labels of at most 10 characters' in found[0]
    )
    assert any("two labels to every tool" in line for line in found)
    assert any('the source "jira" cannot hold a space in a label' in line for line in found)
    assert any("has no [[rule.test]]" in line for line in found)
    assert len(found) == 5


def test_the_shipped_packs_have_nothing_to_lint() -> None:
    assert lint(load(builtin_files(), prefix="pmo-"), {"jira": " "}, {"sheet": 50}) == []


def test_the_schema_names_every_key_and_column_that_the_loader_knows(tmp_path: Path) -> None:
    made = json.loads(json.dumps(schema()))
    found = problems(tmp_path, GOOD.replace("says =", "zzz ="))
    allowed = next(line for line in found if "allowed are" in line).rsplit("allowed are ", 1)[1].split(", ")
    assert list(made["$defs"]["rule"]["properties"]) == allowed
    for name, value in made["$defs"]["condition"]["properties"].items():
        for word in value.get("examples", []):
            text = GOOD.replace('sponsor = "missing"', f'{name} = "{word}"')
            if name in ONLY_ON[On.INITIATIVE]:
                text = text.replace("says =", 'on = "initiative"\nsays =')
            assert load([write(tmp_path, text)]).rules, (name, word)
