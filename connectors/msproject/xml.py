"""One bounded pass over an MSPDI file, shared by the reader and by the splice writer.

The pass is told a `Shape`: which elements are wanted, and what is to happen with them. All else is skipped at the cost
of counting its depth, so that memory stays flat whatever the size of the file. Elements are matched by local name:
files come with Microsoft's namespace, with another one, with a prefix and with none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, BinaryIO
from xml.parsers import expat

from connectors.errors import InputError

CHUNK = 1 << 16
MAX_DEPTH = 200
MAX_TEXT = 1 << 20
"""Characters in one field; Project's own notes end at 65,535."""
MAX_TAG = 1 << 20
"""Bytes in one tag with its attributes."""
MAX_NAMES = 1000
"""Distinct unwanted element names that one shape remembers."""

Record = dict[str, Any]
"""A wanted element: leaf name -> text, nested name -> list of records. In a placed shape also `@` and `/@`, the byte
offsets of its start and of its end tag, and `@NAME` and `/@NAME` for its leaves. An element that closes itself
(`<X/>`) has the offset after it in place of that of an end tag."""


class Shape:
    """What is wanted of one element: text leaves, nested shapes, and what to do with each finished record."""

    def __init__(
        self,
        *leaves: str,
        nested: Mapping[str, Shape] | None = None,
        emit: Callable[[Record], None] | None = None,
        placed: bool = False,
        last: bool = False,
    ) -> None:
        self.emit = emit
        """Takes the finished record; without it, the record is kept in the one around it."""
        self.placed = placed
        self.last = last
        """Nothing is wanted beyond the start of this element: the pass ends with the chunk that holds it."""
        self.wanted: dict[str, Shape | str] = {leaf: leaf for leaf in leaves}
        self.wanted.update(nested or {})
        self.seen: dict[str, tuple[str, Shape | str | None]] = {}

    def child(self, written: str) -> tuple[str, Shape | str | None]:
        """The local name of `written` (it may have a prefix) and what to do with it; `None` skips it."""
        local = written.rpartition(":")[2]
        found = (local, self.wanted.get(local))
        if len(self.seen) < MAX_NAMES:
            self.seen[written] = found
        return found


class Pass:
    """Reads one file once. Raises `InputError` for what is not well-formed, not a project, or hostile."""

    def __init__(self, project: Shape, name: str) -> None:
        self.name = name
        self.declared: str | None = None
        """The encoding in the XML declaration."""
        self.prefix = ""
        """What the root's tag has before its name: `p:` in `<p:Project>`."""
        self.digest = sha256()
        self._fed = 0
        self._skipping = 0
        self._enough = False
        self._shapes = [Shape(nested={"Project": project})]
        self._records: list[Record] = [{}]
        self._pieces: list[str] = []
        self._leaf: str | None = None
        self._parser = self._make_parser()

    def _make_parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._doctype
        parser.XmlDeclHandler = self._declaration
        return parser

    @property
    def project(self) -> Record:
        """The record of the project, whole after the pass and as far as it got where a shape was the `last`."""
        projects: list[Record] = self._records[0].get("Project", [{}])
        return projects[0]

    def read(self, stream: BinaryIO) -> None:
        """Feed the whole stream. `digest` is then the SHA-256 of what was fed."""
        try:
            while not self._enough and (chunk := stream.read(CHUNK)):
                self.digest.update(chunk)
                self._fed += len(chunk)
                self._parser.Parse(chunk, False)
                self._check_held()
            if not self._enough:
                self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise InputError(
                f"{self.name} is not well-formed, line {error.lineno}",
                "it may be cut short or still being written; export it again from Project",
            ) from error
        except (ValueError, LookupError) as error:
            raise InputError(
                f"{self.name} is in an encoding that cannot be read ({self.declared})", "export it again as UTF-8"
            ) from error

    def _check_held(self) -> None:
        if self._fed - max(self._parser.CurrentByteIndex, 0) > MAX_TAG + CHUNK:
            raise self._hostile("a tag", f"{MAX_TAG:,} bytes")
        if sum(map(len, self._pieces)) > MAX_TEXT:
            raise self._hostile("a text", f"{MAX_TEXT:,} characters")

    def _hostile(self, what: str, limit: str) -> InputError:
        line = self._parser.CurrentLineNumber
        return InputError(
            f"{self.name} has {what} beyond {limit}, line {line}", "Project never writes that; export it again"
        )

    def _doctype(self, *_: object) -> None:
        raise InputError(
            f"{self.name} has a DOCTYPE", "Project never writes one, and it can hide attacks; export it again"
        )

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self.declared = encoding

    def _start(self, written: str, _attributes: object) -> None:
        if self._skipping:
            self._skipping += 1
            if self._skipping > MAX_DEPTH:
                raise self._hostile("elements nested", f"{MAX_DEPTH} levels")
            return
        shape = self._shapes[-1]
        local, child = shape.seen.get(written) or shape.child(written)
        if child is None or self._leaf is not None:
            self._skip(written)
        elif isinstance(child, str):
            self._leaf = local
            self._parser.CharacterDataHandler = self._pieces.append
            if shape.placed:
                self._records[-1]["@" + local] = self._parser.CurrentByteIndex
        else:
            self._open(written, local, child)

    def _skip(self, written: str) -> None:
        if len(self._shapes) == 1:
            raise InputError(
                f"{self.name} is no MS Project export: its root is <{written[:80]}>",
                "use File > Save As > XML Format (*.xml) in Project",
            )
        self._skipping = 1

    def _open(self, written: str, local: str, shape: Shape) -> None:
        self._enough |= shape.last
        if len(self._shapes) == 1:
            self.prefix = written.removesuffix("Project")
        record: Record = {"@": self._parser.CurrentByteIndex} if shape.placed else {}
        if shape.emit is None:
            self._records[-1].setdefault(local, []).append(record)
        self._records.append(record)
        self._shapes.append(shape)

    def _end(self, _written: str) -> None:
        if self._skipping:
            self._skipping -= 1
        elif self._leaf is not None:
            self._close_leaf(self._leaf)
        else:
            self._close()

    def _close_leaf(self, leaf: str) -> None:
        self._parser.CharacterDataHandler = None
        text = "".join(self._pieces)
        if len(text) > MAX_TEXT:
            raise self._hostile("a text", f"{MAX_TEXT:,} characters")
        self._pieces.clear()
        self._leaf = None
        record = self._records[-1]
        record[leaf] = text
        if self._shapes[-1].placed:
            record["/@" + leaf] = self._parser.CurrentByteIndex

    def _close(self) -> None:
        shape, record = self._shapes.pop(), self._records.pop()
        if shape.placed:
            record["/@"] = self._parser.CurrentByteIndex
        if shape.emit:
            shape.emit(record)
