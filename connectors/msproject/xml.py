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
MAX_NAMES = 10_000
"""Distinct unwanted names among the children of one kind of element."""

Record = dict[str, Any]
"""A wanted element: leaf name -> text, nested name -> list of records. In a placed shape also `@` and `/@`, the byte
offsets of its start and of its end tag, and `@NAME` and `/@NAME` for its leaves. An element that closes itself
(`<X/>`) has the offset after it in place of that of an end tag."""


_Handlers = tuple[Callable[[str, object], None], Callable[[str], None]]


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
        self.local = ""
        """Its element's name without a prefix, given by the shape around it."""
        self.emit = emit
        """Takes the finished record; without it, the record is kept in the one around it."""
        self.placed = placed
        self.last = last
        """Nothing is wanted beyond the start of this element: the pass ends with the chunk that holds it."""
        self.wanted: dict[str, Shape | str] = {leaf: leaf for leaf in leaves}
        for name, shape in (nested or {}).items():
            shape.local = name
            self.wanted[name] = shape
        self.known: dict[str, Shape | str] = {}
        """Names as written, with their prefix -> the shape, or the local name of a leaf."""
        self.skipped: set[str] = set()
        """Names as written that are not wanted."""

    def meet(self, written: str) -> None:
        """Enter a name that was not seen before as known or skipped."""
        local = written.rpartition(":")[2]
        if local in self.wanted:
            self.known[written] = self.wanted[local]
        else:
            self.skipped.add(written)


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
        self._enough = False
        self._open_elements: list[tuple[Shape, Record]] = [(Shape(nested={"Project": project}), {})]
        self._pieces: list[str] = []
        self._parser = expat.ParserCreate(intern=None)  # a lookup less for every end tag: 12 % of the time
        self._parser.buffer_text = True
        self._parser.ordered_attributes = True
        self._parser.StartElementHandler, self._parser.EndElementHandler = self._make_handlers()
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.XmlDeclHandler = self._declaration

    @property
    def project(self) -> Record:
        """The record of the project, whole after the pass and as far as it got where a shape was the `last`."""
        projects: list[Record] = self._open_elements[0][1].get("Project", [{}])
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

    def _make_handlers(self) -> _Handlers:  # noqa: C901 - the hot loop, in one scope on purpose
        """What expat calls at the start and at the end of every element.

        Closures and not methods: 100,000 tasks make twenty million calls, and cells are read faster than attributes.
        """
        parser, pieces = self._parser, self._pieces
        (shape, record), skipping = self._open_elements[-1], 0
        known, skipped, placed = shape.known, shape.skipped, False
        leaf = ""

        def start(written: str, _attributes: object) -> None:
            nonlocal shape, record, known, skipped, placed, skipping, leaf
            if skipping:
                skipping += 1
                if skipping > MAX_DEPTH:
                    raise self._hostile("elements nested", f"{MAX_DEPTH} levels")
            elif written in skipped or leaf:
                skipping = 1
            elif written not in known:
                self._meet(written)
                start(written, _attributes)
            elif isinstance(child := known[written], str):
                leaf = child
                parser.CharacterDataHandler = pieces.append
                if placed:
                    record["@" + leaf] = parser.CurrentByteIndex
            else:
                shape, record = self._open(child)
                known, skipped, placed = shape.known, shape.skipped, shape.placed

        def end(_written: str) -> None:
            nonlocal shape, record, known, skipped, placed, skipping, leaf
            if skipping:
                skipping -= 1
            elif leaf:
                parser.CharacterDataHandler = None
                record[leaf] = pieces[0] if len(pieces) == 1 else self._joined()
                pieces.clear()
                if placed:
                    record["/@" + leaf] = parser.CurrentByteIndex
                leaf = ""
            else:
                shape, record = self._close()
                known, skipped, placed = shape.known, shape.skipped, shape.placed

        return start, end

    def _joined(self) -> str:
        text = "".join(self._pieces)
        if len(text) > MAX_TEXT:
            raise self._hostile("a text", f"{MAX_TEXT:,} characters")
        return text

    def _meet(self, written: str) -> None:
        """Let the present shape know a new name. Raises `InputError` for a root that is not `Project`."""
        shape, _ = self._open_elements[-1]
        shape.meet(written)
        child = shape.known.get(written)
        self._enough |= isinstance(child, Shape) and child.last
        if len(self._open_elements) == 1:
            self.prefix = written.removesuffix("Project")
        if len(self._open_elements) == 1 and child is None:
            raise InputError(
                f"{self.name} is no MS Project export: its root is <{written[:80]}>",
                "use File > Save As > XML Format (*.xml) in Project",
            )
        if len(shape.skipped) > MAX_NAMES:
            raise self._hostile("different elements", f"{MAX_NAMES:,} names")

    def _open(self, shape: Shape) -> tuple[Shape, Record]:
        """Go into a wanted element."""
        record: Record = {"@": self._parser.CurrentByteIndex} if shape.placed else {}
        if shape.emit is None:
            self._open_elements[-1][1].setdefault(shape.local, []).append(record)
        self._open_elements.append((shape, record))
        return shape, record

    def _close(self) -> tuple[Shape, Record]:
        """Leave a wanted element for the one around it."""
        shape, record = self._open_elements.pop()
        if shape.placed:
            record["/@"] = self._parser.CurrentByteIndex
        if shape.emit:
            shape.emit(record)
        return self._open_elements[-1]
