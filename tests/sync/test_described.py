"""Metrics from descriptions, through a pull."""

from __future__ import annotations

from typing import Any

from tests.sync.town import CONFIG, Town


def outcome(town: Town) -> Any:
    [item] = town.unstuck("items", "--format", "json").json
    return item["outcome_metric"], item["outcome_grade"]


def test_a_described_metric_counts_until_the_field_is_filled_in(town: Town) -> None:
    town.add(1, description="Why.\nOutcome: churn down 2 points", outcome_baseline="5 %")
    town.unstuck("run")
    assert outcome(town) == ("churn down 2 points", "no_target")
    town.edit(1, outcome_metric="TBD")
    town.unstuck("run")
    assert outcome(town) == ("TBD", "placeholder")
    town.edit(1, outcome_metric=" ", description="Outcome of it all")
    town.unstuck("run")
    assert outcome(town)[1] == "missing"


def test_new_patterns_are_looked_for_in_what_is_stored_already(town: Town) -> None:
    town.add(1, description="Gain: churn down 2 points")
    town.unstuck("run")
    assert outcome(town)[1] == "missing"
    town.write_config('[outcome]\npatterns = ["gain"]\n' + CONFIG)
    town.unstuck("run")
    assert outcome(town)[0] == "churn down 2 points"
    town.write_config(CONFIG)
    town.unstuck("run")
    assert outcome(town)[1] == "missing"
