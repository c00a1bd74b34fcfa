"""Files as Microsoft Project saves them (File > Save As > XML), of what is handed over and no more."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

TEXT1 = 188743731


def element(name: str, *children: str, **leaves: object) -> str:
    """`<name>` with leaves in their order and then children; a leaf of `None` is left out."""
    inside = "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in leaves.items() if value is not None)
    return f"<{name}>{inside}{''.join(children)}</{name}>"


def value(field_id: int, text: object) -> str:
    return element("ExtendedAttribute", FieldID=field_id, Value=text)


def define(field_id: int, name: str, alias: str | None = None, **more: object) -> str:
    return element("ExtendedAttribute", FieldID=field_id, FieldName=name, Alias=alias, **more)


def task(uid: object, name: str | None = "Task", *children: str, **leaves: object) -> str:
    leaves = {"OutlineLevel": 1, **leaves}
    return element("Task", *children, UID=uid, Name=name, **leaves)


def project(*tasks: str, definitions: Sequence[str] = (), parts: str = "", before: str = "", **head: object) -> str:
    """A whole file; `parts` go after the tasks and `before` in front of them."""
    head = {"SaveVersion": 14, "CurrentDate": "2026-11-02T08:00:00", **head}
    lists = element("ExtendedAttributes", *definitions) if definitions else "<ExtendedAttributes/>"
    inside = f"{before}{lists}<Tasks>{''.join(tasks)}</Tasks>{parts}"
    body = element("Project", inside, **head).replace(
        "<Project>", '<Project xmlns="http://schemas.microsoft.com/project">'
    )
    return f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n{body}'
