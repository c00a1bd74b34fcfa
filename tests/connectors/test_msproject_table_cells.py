"""Dates, numbers and titles in tables: what can be read is read, and what is open is not guessed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import InputError
from connectors.msproject.tables.conventions import Convention
from connectors.msproject.tables.dates import ORDERS, date_readings, serial_date
from connectors.msproject.tables.numbers import DECIMALS, cost, duration, number_readings
from connectors.msproject.tables.table import Levels, split_names
from connectors.msproject.tables.words import COLUMNS, ELEMENT, MONTHS, WEEKDAYS, plain

DAYS = st.datetimes(datetime(1955, 1, 1), datetime(2049, 12, 31, 23, 59)).map(  # noqa: DTZ001 - wall time
    lambda moment: moment.replace(second=0, microsecond=0)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("January 15, 2026 8:00 AM", "2026-01-15T08:00:00"),
        ("Jan 15, '26", "2026-01-15T00:00:00"),
        ("15-Jan-26", "2026-01-15T00:00:00"),
        ("15. Januar 2026 08:00", "2026-01-15T08:00:00"),
        ("Do 15. Jan 2026", "2026-01-15T00:00:00"),
        ("jeudi 15 janvier 2026", "2026-01-15T00:00:00"),
        ("mar 3 mars 2026 17h30", "2026-03-03T17:30:00"),
        ("15 de enero de 2026 5:00 p. m.", "2026-01-15T17:00:00"),
        ("quinta-feira, 15 de janeiro de 2026 08:00:00", "2026-01-15T08:00:00"),
        ("2026-01-15", "2026-01-15T00:00:00"),
        ("2026/01/15 12:05 AM", "2026-01-15T00:05:00"),
        ("15.01.26 08:00", "2026-01-15T08:00:00"),
        ("01.02.1999", "1999-02-01T00:00:00"),
        ("46037", "2026-01-15T00:00:00"),
        ("46037,5", "2026-01-15T12:00:00"),
    ],
)
def test_a_clear_date_is_read_the_same_in_every_order(text: str, expected: str) -> None:
    assert dict(date_readings(text)) == dict.fromkeys(ORDERS, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("03/04/2026", {"dmy": "2026-04-03T00:00:00", "mdy": "2026-03-04T00:00:00"}),
        ("13/04/2026", {"dmy": "2026-04-13T00:00:00"}),
        ("4-13-26", {"mdy": "2026-04-13T00:00:00"}),
        ("Mon 03/02/26", {"mdy": "2026-03-02T00:00:00"}),
        ("lun. 02/03/26", {"dmy": "2026-03-02T00:00:00"}),
        ("seg 02/03/26 08:00", {"dmy": "2026-03-02T08:00:00"}),
    ],
)
def test_day_and_month_may_be_told_by_their_size_or_by_the_weekday(text: str, expected: dict[str, str]) -> None:
    assert dict(date_readings(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "NA", "TBD", "next week", "Phase 3 March 2026", "31/31/2026", "1.2.3.4", "12", "99999", "30 Feb 2026",
     "x" * 500, "Build 03/04/2026 again", "2026-13-45", "0/0/0"],
)  # fmt: skip
def test_what_is_no_date_is_none(text: str) -> None:
    assert not date_readings(text)


@given(DAYS)
def test_numeric_dates_come_back_in_the_order_they_were_written_in(moment: datetime) -> None:
    iso = moment.isoformat()
    assert date_readings(f"{moment:%d/%m/%Y %H:%M}")["dmy"] == iso
    assert date_readings(f"{moment:%m/%d/%Y %I:%M %p}")["mdy"] == iso
    assert date_readings(f"{moment:%d.%m.%Y %H:%M}")["mdy"] == iso
    assert date_readings(iso)["dmy"] == iso


@given(DAYS, st.integers(0, 6))
def test_long_dates_come_back_in_five_languages(moment: datetime, which: int) -> None:
    """The words of a weekday and a month are of one language, as at least the full ones are listed in one order."""
    month = MONTHS[moment.month - 1].split()
    month_word = month[which % len(month)]
    weekday = WEEKDAYS[moment.weekday()].split()[0]
    text = f"{weekday} {moment.day} {month_word} {moment.year} {moment:%H:%M}"
    assert set(date_readings(text).values()) == {moment.isoformat()}


@given(DAYS)
def test_a_serial_is_the_day_that_excel_shows(moment: datetime) -> None:
    serial = (moment - datetime(1899, 12, 30)) / timedelta(days=1)  # noqa: DTZ001 - wall time
    assert serial_date(serial) == (moment.isoformat() if serial >= 20_000 else "")


@given(st.text(max_size=70))
def test_no_text_is_too_odd_for_a_date_or_number(text: str) -> None:
    for iso in date_readings(text).values():
        datetime.fromisoformat(iso)
    for value in number_readings(text).values():
        assert abs(value) < float("inf")
    for decimal in DECIMALS:
        assert duration(text, decimal) == "" or duration(text, decimal).startswith("PT")
        cost(text, decimal)


@pytest.mark.parametrize(
    ("text", "decimal", "expected"),
    [
        ("15.5 days", ".", "PT124H0M0S"),
        ("15,5 Tage", ",", "PT124H0M0S"),
        ("94,75 days?", ",", "PT758H0M0S"),
        ("2 Wochen?", ".", "PT80H0M0S"),
        ("3 edays", ".", "PT72H0M0S"),
        ("2 fTage", ",", "PT48H0M0S"),
        ("1 sem", ".", "PT40H0M0S"),
        ("30 mins", ".", "PT0H30M0S"),
        ("1 mês", ",", "PT160H0M0S"),
        ("8", ".", "PT64H0M0S"),
        ("1.234,5 hrs", ",", "PT1234H30M0S"),
        ("soon", ".", ""),
        ("3 parsecs", ".", ""),
    ],
)
def test_durations(text: str, decimal: str, expected: str) -> None:
    assert duration(text, decimal) == expected


@pytest.mark.parametrize(
    ("text", "decimal", "expected"),
    [("$0", ".", "0"), ("9 680,00 ₽", ",", "968000"), ("1.234,50 €", ",", "123450"), ("CHF 1'234.50", ".", "123450"),
     ("-5", ".", "-500"), ("n/a", ".", "")],
)  # fmt: skip
def test_costs_are_hundredths(text: str, decimal: str, expected: str) -> None:
    assert cost(text, decimal) == expected


def settle(texts: list[str], settled: str = "") -> str:
    convention = Convention(ORDERS, date_readings, "date_order", settled)
    for text in texts:
        convention.see(text, "Start")
    return convention.settle("plan.csv")


def test_one_value_settles_all() -> None:
    assert settle(["03/04/2026", "NA", "13/04/2026"]) == "dmy"
    assert settle(["03/04/2026", "04/13/2026"]) == "mdy"
    assert settle(["05/05/2026", "2026-03-04"]) == "dmy"  # the same either way


def test_what_stays_open_is_an_error_that_says_how_to_settle_it() -> None:
    with pytest.raises(InputError) as caught:
        settle(["05/05/2026", "03/04/2026"])
    assert str(caught.value) == (
        'plan.csv: "03/04/2026" in the column "Start" can be read in two ways; settle it for this source: '
        'date_order = "dmy" (day first) or date_order = "mdy" (month first)'
    )
    assert settle(["03/04/2026"], "mdy") == "mdy"


def test_what_contradicts_itself_or_config_is_an_error() -> None:
    with pytest.raises(InputError, match=r"13/04/2026.* and .*04/13/2026.* are not written in one way"):
        settle(["13/04/2026", "04/13/2026"])
    with pytest.raises(InputError, match='"13/04/2026" in the column "Start" does not fit date_order = "mdy"'):
        settle(["13/04/2026"], "mdy")


@given(st.lists(DAYS, min_size=1), st.sampled_from(["dmy", "mdy"]))
def test_a_file_is_read_as_it_was_written_or_refused(moments: list[datetime], order: str) -> None:
    form = "%d/%m/%Y" if order == "dmy" else "%m/%d/%Y"
    texts = [moment.strftime(form) for moment in moments]
    try:
        found = settle(texts)
    except InputError:
        assert all(moment.day <= 12 for moment in moments)
        return
    days = [date_readings(text)[found][:10] for text in texts]
    assert days == [moment.date().isoformat() for moment in moments]


def test_a_title_means_one_thing() -> None:
    for element, titles in COLUMNS.items():
        for title in titles.split("|"):
            assert ELEMENT[plain(title)] == element, title


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("% Complete", "%_complete"),
        ("Task_Name", "task name"),
        ("Début", "debut"),
        ("Nr.", "NR"),
        ("N° unique", "Nº unique"),
    ],
)
def test_titles_are_compared_without_what_people_write_differently(one: str, other: str) -> None:
    assert plain(one) == plain(other)


def test_names_of_those_who_do_it() -> None:
    assert split_names("Ana López[50%]; Max,Ada ,Max") == ("Ana López", "Max", "Ada")


def test_levels_come_from_the_outline_or_from_how_names_are_indented() -> None:
    def levels(element: str, *values: str) -> list[int]:
        counting = Levels({element: 0})
        return [counting.level({element: value}) for value in values]

    assert levels("OutlineLevel", "1", "3", "x") == [1, 3, 1]
    assert levels("OutlineNumber", "1", "1.2", "1.2.10", "2.") == [1, 2, 3, 1]
    assert levels("Name", "A", "   B", "      C", "   D", "E") == [1, 2, 3, 2, 1]
