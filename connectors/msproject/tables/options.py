"""What config may settle about tables; everything that a file tells of itself is left to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from connectors.base import Option
from connectors.errors import SetupError

if TYPE_CHECKING:
    from connectors.msproject.kinds import FileKind

DELIMITER_NAMES = ("comma", "semicolon", "tab", "pipe")

TABLE_OPTIONS = (
    Option("sheet", "tables: the sheet that holds the tasks, where a workbook has several that could"),
    Option("columns", "tables: further titles of columns, each with Project's name for it", kind="table of text"),
    Option("encoding", 'tables: the encoding of CSV files, such as "cp1252", where they do not tell'),
    Option("delimiter", "tables: comma, semicolon, tab or pipe, where a CSV file does not tell"),
    Option("date_order", 'tables: "dmy" or "mdy", where the dates of a file do not tell'),
    Option("decimal", 'tables: the decimal sign, "." or ",", where the numbers of a file do not tell'),
)


def make_tables(options: Mapping[str, Any], fields: Mapping[str, str]) -> tuple[FileKind, ...]:
    """The kinds of tables. Raises `SetupError` for an option that cannot be right."""
    from connectors.msproject.tables.excel import Excel
    from connectors.msproject.tables.layout import Wanted
    from connectors.msproject.tables.text import DelimitedText, known_encoding
    from connectors.msproject.tables.words import ELEMENT, plain

    given: dict[str, Any] = {option.name: options.get(option.name) or "" for option in TABLE_OPTIONS}
    _check(given, "delimiter", DELIMITER_NAMES)
    _check(given, "date_order", ("dmy", "mdy"))
    _check(given, "decimal", (".", ","))
    codec = known_encoding(given["encoding"]) if given["encoding"] else ""
    if given["encoding"] and not codec:
        raise SetupError(f'encoding = "{given["encoding"]}" is not known', 'give one such as "utf-8" or "cp1252"')
    columns = dict(given["columns"] or {})
    for title, meant in columns.items():
        if plain(meant) not in ELEMENT:
            raise SetupError(f'columns: "{meant}" (for "{title}") is no column that is known', 'such as "Task Name"')
    wanted = Wanted(fields, str(options["label_field"]), columns, options.get("task_key") or "")
    order, decimal = given["date_order"], given["decimal"]
    text = DelimitedText(wanted, codec, given["delimiter"], order, decimal)
    return (Excel(wanted, given["sheet"], order, decimal), text)


def _check(given: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> None:
    if given[name] and given[name] not in choices:
        raise SetupError(f'{name} = "{given[name]}" is not one of {", ".join(choices)}', "correct it")
