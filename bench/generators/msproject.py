"""Large Microsoft Project exports for the benchmarks: about 3.9 kB a task, as Project 2019 writes them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

_HEAD = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Project xmlns="http://schemas.microsoft.com/project">
\t<SaveVersion>14</SaveVersion>
\t<Name>large.xml</Name>
\t<Title>Large</Title>
\t<StatusDate>2026-11-01T17:00:00</StatusDate>
\t<ExtendedAttributes>
\t\t<ExtendedAttribute>
\t\t\t<FieldID>188743731</FieldID>
\t\t\t<FieldName>Text1</FieldName>
\t\t\t<Alias>Outcome Metric</Alias>
\t\t</ExtendedAttribute>
\t\t<ExtendedAttribute>
\t\t\t<FieldID>188743734</FieldID>
\t\t\t<FieldName>Text2</FieldName>
\t\t\t<Alias>Sponsor</Alias>
\t\t</ExtendedAttribute>
\t</ExtendedAttributes>
\t<Tasks>
"""

_DATES = """EarlyStart EarlyFinish LateStart LateFinish ManualStart ManualFinish"""
_NUMBERS = """StartVariance FinishVariance WorkVariance FreeSlack TotalSlack StartSlack FinishSlack FixedCost
FixedCostAccrual Cost OvertimeCost ActualCost ActualOvertimeCost RemainingCost RemainingOvertimeCost ACWP CV
ConstraintType LevelAssignments LevelingCanSplit LevelingDelay LevelingDelayFormat IgnoreResourceCalendar HideBar Rollup
BCWS BCWP PhysicalPercentComplete EarnedValueMethod IsPublished CommitmentType DisplayAsSummary Critical IsSubproject
IsSubprojectReadOnly OverAllocated Estimated EffortDriven ResumeValid Type DurationFormat FreeformDurationFormat"""
_TIMES = """OvertimeWork ActualDuration ActualWork ActualOvertimeWork RegularWork RemainingDuration RemainingWork
RemainingOvertimeWork Duration ManualDuration Work"""
_UNREAD = (
    *((name, "2027-02-12T08:00:00") for name in _DATES.split()),
    *((name, "0") for name in _NUMBERS.split()),
    *((name, "PT40H0M0S") for name in _TIMES.split()),
)
_FILLER = "".join(f"\t\t\t<{name}>{text}</{name}>\n" for name, text in _UNREAD)
_BASELINE = """\t\t\t<Baseline>
\t\t\t\t<Number>0</Number>
\t\t\t\t<Start>2027-02-12T08:00:00</Start>
\t\t\t\t<Finish>2027-02-23T17:00:00</Finish>
\t\t\t\t<Duration>PT40H0M0S</Duration>
\t\t\t\t<DurationFormat>7</DurationFormat>
\t\t\t\t<Work>PT40H0M0S</Work>
\t\t\t</Baseline>
"""


def _task(uid: int) -> str:
    level = 1 if uid % 10 == 1 else 2
    percent = uid * 7 % 101
    leaves = {
        "UID": uid, "GUID": f"F2FB9972-DCD2-E811-AC3F-{uid:012d}", "ID": uid, "Name": f"Migrate Größe {uid}",
        "Active": 1, "Manual": 0, "IsNull": 0, "CreateDate": "2026-01-05T08:00:00", "WBS": uid, "OutlineNumber": uid,
        "OutlineLevel": level, "Priority": 500, "Start": "2026-02-12T08:00:00", "Finish": "2026-12-23T17:00:00",
        "Recurring": 0, "Milestone": 0, "Summary": int(level == 1), "ExternalTask": 0, "PercentComplete": percent,
    }  # fmt: skip
    if percent:
        leaves |= {"ActualStart": "2026-02-12T08:00:00", "Stop": "2026-06-01T17:00:00"}
    if uid % 3 == 0:
        leaves |= {"Deadline": "2026-12-01T17:00:00", "Notes": f"Cut lead time by {percent} % by Q1.\nSecond line."}
    own = "".join(f"\t\t\t<{name}>{text}</{name}>\n" for name, text in leaves.items())
    values = _value(188743731, f"lead time {uid}") + _value(188743734, f"Person {uid % 40}")
    return f"\t\t<Task>\n{own}{_FILLER}{values}{_BASELINE}\t\t</Task>\n"


def _value(field_id: int, text: str) -> str:
    lines = f"<FieldID>{field_id}</FieldID>\n\t\t\t\t<Value>{text}</Value>"
    return f"\t\t\t<ExtendedAttribute>\n\t\t\t\t{lines}\n\t\t\t</ExtendedAttribute>\n"


def _resource(uid: int) -> str:
    return _indented("Resource", f"\t\t\t<UID>{uid}</UID>\n\t\t\t<Name>Person {uid}</Name>\n\t\t\t<Type>1</Type>\n")


def _assignment(uid: int) -> str:
    ids = f"\t\t\t<TaskUID>{uid}</TaskUID>\n\t\t\t<ResourceUID>{uid % 40}</ResourceUID>\n"
    spread = "".join(f"\t\t\t\t<{name}>{text}</{name}>\n" for name, text in (("Type", 1), ("UID", uid), ("Unit", 2)))
    return _indented("Assignment", ids + f"\t\t\t<TimephasedData>\n{spread}\t\t\t</TimephasedData>\n" * 5)


def _indented(name: str, inside: str) -> str:
    return f"\t\t<{name}>\n{inside}\t\t</{name}>\n"


def lines(tasks: int) -> Iterator[str]:
    """The text of an export with so many tasks; every third is assigned to somebody."""
    yield _HEAD
    yield from map(_task, range(1, tasks + 1))
    yield "\t</Tasks>\n\t<Resources>\n"
    yield from map(_resource, range(40))
    yield "\t</Resources>\n\t<Assignments>\n"
    yield from map(_assignment, range(3, tasks + 1, 3))
    yield "\t</Assignments>\n</Project>\n"


def write(path: Path, tasks: int) -> None:
    """Write such an export to `path`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(lines(tasks))


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
