"""A card's status is the list that it is in; where that stands in the flow of work is configured, told or guessed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.model import StatusCategory
from connectors.trello.api import text

TODO, UNDERWAY, DONE = StatusCategory.TODO, StatusCategory.IN_PROGRESS, StatusCategory.DONE

ARCHIVED = "Archived"
"""The status of cards that were archived, or whose list was."""

NAMES: Mapping[StatusCategory, str] = {
    TODO: (
        "to do, todo, backlog, product backlog, sprint backlog, ideas, inbox, icebox, up next, next, next up, later, "
        "someday, planned, planning, requested, requests, new, open, ready, upcoming, queue, triage, not started, "
        "offen, zu erledigen, zu tun, ideen, eingang, geplant, neu, demnächst, als nächstes, "
        "à faire, idées, en attente de démarrage, prévu, nouveau, por hacer, pendiente, pendientes, ideas, nuevo, "
        "a fazer, ideias, pendente, da fare, idee, te doen, att göra, do zrobienia, 待办, 待辦, 未着手, やること"
    ),
    UNDERWAY: (
        "doing, in progress, work in progress, wip, in work, working on, working, underway, started, in development, "
        "development, dev, in dev, building, active, current, this week, today, in review, review, code review, "
        "peer review, qa, in qa, ready for qa, testing, in testing, test, uat, ready for review, ready to merge, "
        "ready to deploy, ready for release, staging, verify, verification, waiting, waiting for, blocked, on hold, "
        "paused, in bearbeitung, in arbeit, läuft, im test, in prüfung, prüfung, wartet, wartet auf, blockiert, "
        "en cours, en test, en revue, en attente, bloqué, en curso, en progreso, haciendo, en revisión, bloqueado, "
        "em andamento, fazendo, em revisão, in corso, in revisione, mee bezig, bezig, in behandeling, pågår, "
        "w toku, w trakcie, 进行中, 進行中, 作業中, レビュー"
    ),
    DONE: (
        "done, complete, completed, finished, closed, shipped, released, live, deployed, delivered, resolved, "
        "in production, archive, archived, cancelled, canceled, rejected, won t do, wont do, won't do, "
        "fertig, erledigt, abgeschlossen, abgelehnt, terminé, terminée, terminés, fait, fini, livré, abandonné, "
        "hecho, terminado, completado, listo, cancelado, feito, concluído, pronto, fatto, finito, completato, "
        "klaar, gereed, afgerond, klart, färdigt, zrobione, gotowe, 完成, 已完成, 完了"
    ),
}
"""Names that lists have, in several languages; config goes first, and adds to it."""

TYPES: Mapping[str, StatusCategory] = {
    "todo": TODO, "backlog": TODO, "unstarted": TODO, "notstarted": TODO,
    "inprogress": UNDERWAY, "doing": UNDERWAY, "started": UNDERWAY, "active": UNDERWAY,
    "done": DONE, "completed": DONE, "complete": DONE, "closed": DONE,
}  # fmt: skip
"""Values of a list's `type`, as letters only. Trello documents none; what is not here says nothing."""


@dataclass(frozen=True, slots=True)
class Place:
    """A list, and what it stands for."""

    id: str
    name: str
    closed: bool
    category: StatusCategory | None
    known_by: str
    """How its category is known: `config`, `type`, `name`, or nothing."""


class Statuses:
    """What lists stand for. `configured` is by the name or the id of a list."""

    def __init__(self, configured: Mapping[str, StatusCategory]) -> None:
        self._configured = {name.strip().casefold(): category for name, category in configured.items()}

    def place(self, entry: Mapping[str, Any]) -> Place:
        """A list as Trello gives it."""
        category, known_by = self._category(entry)
        return Place(str(entry["id"]), text(entry, "name"), bool(entry.get("closed")), category, known_by)

    @property
    def of_archived(self) -> StatusCategory:
        return self._configured.get(ARCHIVED.casefold(), DONE)

    def _category(self, entry: Mapping[str, Any]) -> tuple[StatusCategory | None, str]:
        for name in (str(entry["id"]), text(entry, "name")):
            if (category := self._configured.get(name.casefold())) is not None:
                return category, "config"
        if (category := TYPES.get(re.sub(r"[^a-z]", "", text(entry, "type").lower()))) is not None:
            return category, "type"
        guessed = guess(text(entry, "name"))
        return guessed, "name" if guessed else ""


def words(name: str) -> str:
    """A name without case, signs, pictures and numbers: `✅ Done! (2)` is `done`."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(re.findall(r"[^\W\d_]+", folded))


_KNOWN = {words(name): category for category, names in NAMES.items() for name in names.split(",")}


def guess(name: str) -> StatusCategory | None:
    """What a list's name stands for: all of it, or the words that it begins with (`Doing this week`, `Done in May`)."""
    said = words(name).split(" ")
    for length in range(len(said), 0, -1):
        if (category := _KNOWN.get(" ".join(said[:length]))) is not None:
            return category
    return None
