"""What the columns of a task table, its dates, units and answers are called, in five languages.

Project and Planner write a table in the language of the sender's machine. English, German, French, Spanish and
Portuguese are known here; `columns` in a source's config adds a title, or another language's.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

NAME = "Name"
TASK_ID = "TaskID"
"""Planner's own id of a task; Project has no element of this name."""
RESOURCES = "Resources"
"""Names of those who do it; in MSPDI they stand in a list of their own."""
PROGRESS = "Progress"
"""A word for how far it is, where no percentage is given."""
COMPLETED = "Completed"
"""Yes or no."""
LABELS = "Labels"
TASK_NAME = "TaskName"
"""In a table of assignments: whose assignment it is."""

COLUMNS: dict[str, str] = {
    NAME: "Name | Task Name | Task | Title | Task Title | Vorgangsname | Vorgang | Aufgabe | Aufgabenname | Titel"
    " | Nom | Nom de la tâche | Tâche | Titre | Nom de tâche | Nombre | Nombre de tarea | Nombre de la tarea | Tarea"
    " | Título | Nome | Nome da tarefa | Tarefa",
    "UID": "Unique ID | UID | Task Unique ID | Eindeutige Nr. | Eindeutige Nummer | Eindeutige ID"
    " | Eindeutige Kennung | N° unique | Numéro unique | ID unique | Réf. unique | Id. único | Id único"
    " | Identificador único | Identificación única | Id exclusiva | ID exclusivo | Identificação exclusiva",
    "ID": "ID | Task number | Nr. | Vorgangsnummer | Aufgabennummer | N° | Numéro | Numéro de tâche"
    " | Numéro de la tâche | Número de tarea | Número | Número da tarefa",
    TASK_ID: "Task ID | Aufgaben-ID | Vorgangs-ID | ID de tâche | ID de la tâche | Id. de tarea | Id. de la tarea"
    " | Identificador de tarea | ID da tarefa | Identificador da tarefa",
    "GUID": "GUID | Task GUID",
    "WBS": "WBS | WBS Code | PSP-Code | PSP | Code WBS | EDT | Código EDT | EAP | Código da EAP",
    "OutlineNumber": "Outline Number | Gliederungsnummer | Numéro hiérarchique | N° hiérarchique"
    " | Número de plan | Número de plano | Número de esquema | Número de contorno | Número da estrutura de tópicos"
    " | Número de estrutura de tópicos",
    "OutlineLevel": "Outline Level | Level | Gliederungsebene | Niveau hiérarchique | Nivel de esquema"
    " | Nível da estrutura de tópicos | Nível de estrutura de tópicos",
    "Start": "Start | Start Date | Anfang | Anfangstermin | Starttermin | Startdatum | Beginn | Début"
    " | Date de début | Comienzo | Fecha de comienzo | Fecha de inicio | Inicio | Início | Data de início",
    "Finish": "Finish | Finish Date | End | End Date | Due | Due Date | Ende | Endtermin | Enddatum | Fällig"
    " | Fälligkeitsdatum | Fällig am | Fin | Date de fin | Échéance | Date d'échéance | Fecha de fin"
    " | Fecha de vencimiento | Vencimiento | Término | Data de término | Fim | Data de conclusão"
    " | Data de vencimento | Vencimento | Data do término",
    "ActualStart": "Actual Start | Aktueller Anfang | Ist-Anfang | Tatsächlicher Anfang | Début réel"
    " | Comienzo real | Início real",
    "ActualFinish": "Actual Finish | Completed Date | Date Completed | Aktuelles Ende | Ist-Ende | Tatsächliches Ende"
    " | Abgeschlossen am | Abschlussdatum | Fin réelle | Date d'achèvement | Terminé le | Fin real"
    " | Fecha de finalización | Fecha de completado | Término real | Concluído em | Data da conclusão",
    "Stop": "Stop | Unterbrechung | Interruption | Arrêt | Detener | Interrupción | Interromper | Interrupção",
    "Resume": "Resume | Wiederaufnahme | Reprise | Reanudar | Reanudación | Retomar | Reinício",
    "Deadline": "Deadline | Stichtag | Date limite | Échéance finale | Fecha límite | Data limite | Prazo final",
    "CreateDate": "Created | Created Date | Create Date | Creation Date | Erstellt | Erstellt am | Erstellungsdatum"
    " | Créé le | Date de création | Creado | Creado el | Fecha de creación | Criado em | Data de criação"
    " | Data da criação",
    "PercentComplete": "% Complete | Percent Complete | Percent Comp | % Abgeschlossen | Prozent Abgeschlossen"
    " | % achevé | Pourcentage achevé | % terminé | % completado | Porcentaje completado | % concluída"
    " | % concluído | Porcentagem concluída | Percentual concluído | Percentagem concluída | % completo",
    PROGRESS: "Progress | Status | Fortschritt | Progression | Avancement | État | Progreso | Estado | Progresso",
    COMPLETED: "Completed | Erledigt | Abgeschlossen | Terminé | Completado | Completada | Concluído | Concluída",
    "Duration": "Duration | Dauer | Durée | Duración | Duração",
    "Work": "Work | Effort | Arbeit | Aufwand | Travail | Trabajo | Esfuerzo | Trabalho | Esforço",
    "ActualWork": "Actual Work | Effort completed | Ist-Arbeit | Aktuelle Arbeit | Geleisteter Aufwand"
    " | Travail réel | Trabajo real | Trabalho real",
    "RemainingWork": "Remaining Work | Effort remaining | Verbleibende Arbeit | Verbleibender Aufwand"
    " | Travail restant | Trabajo restante | Trabalho restante",
    "Cost": "Cost | Kosten | Coût | Costo | Coste | Custo",
    RESOURCES: "Resource Names | Resources | Assigned To | Assignee | Assignees | Ressourcennamen | Ressourcen"
    " | Zugewiesen an | Zugewiesen zu | Noms ressources | Noms des ressources | Affecté à | Attribué à"
    " | Nombres de los recursos | Nombres de recursos | Recursos | Asignado a | Nomes dos recursos"
    " | Nomes de recursos | Atribuído a | Atribuída a",
    "Contact": "Contact | Owner | Kontaktperson | Kontakt | Verantwortlich | Verantwortliche | Responsable"
    " | Contacto | Contato | Responsável",
    "Priority": "Priority | Priorität | Priorité | Prioridad | Prioridade",
    "Milestone": "Milestone | Meilenstein | Jalon | Hito | Marco | Etapa",
    "Summary": "Summary | Sammelvorgang | Récapitulative | Tâche récapitulative | Resumen | Tarea de resumen | Resumo",
    "Active": "Active | Aktiv | Actif | Active ? | Activo | Activa | Ativo | Ativa",
    "Notes": "Notes | Description | Notizen | Beschreibung | Remarques | Commentaires | Notas | Descripción"
    " | Descrição | Anotações",
    "HyperlinkAddress": "Hyperlink Address | URL | Link | Hyperlink-Adresse | Hyperlinkadresse"
    " | Adresse du lien hypertexte | Dirección de hipervínculo | Endereço do hiperlink",
    LABELS: "Labels | Bezeichnungen | Etiketten | Beschriftungen | Étiquettes | Etiquetas | Rótulos",
}  # fmt: skip
"""Element of a task in Project's XML (or one of the names above) -> its titles; where several fit, the first wins."""

TASK_TITLES = "Task Name | Vorgangsname | Nom de la tâche | Nombre de tarea | Nome da tarefa"
ASSIGNMENT_MARKS = (
    "Resource Name | Ressourcenname | Nom de la ressource | Nom ressource | Nombre del recurso | Nombre de recurso"
    " | Nome do recurso"
)
"""A column that a table of assignments or of resources has, and one of tasks has not."""

ASSIGNED_TASK = {
    "UID": "Task Unique ID | Eindeutige Vorgangsnummer | Eindeutige Nr. Vorgang | N° unique de tâche"
    " | N° unique tâche | Id. única de tarea | Id único de tarea | Id exclusiva da tarefa | ID exclusivo da tarefa",
    "ID": "Task ID | Vorgangsnr. | Vorgangsnummer | Nr. Vorgang | Vorgangs-ID | N° tâche | N° de tâche"
    " | Numéro de tâche | Id. de tarea | Id de tarea | Número de tarea | ID da tarefa | Número da tarefa",
    NAME: TASK_TITLES,
}
"""Element of a task -> titles under which a table of assignments names its task by it; the surest first."""

HEAD = {
    "Title": "Plan name | Project name | Planname | Projektname | Nom du plan | Nom du projet | Nombre del plan"
    " | Nombre del proyecto | Nome do plano | Nome do projeto",
    "GUID": "Plan ID | Plan-ID | ID du plan | Id. del plan | Id. de plan | ID do plano",
    "StatusDate": "Date of export | Exported on | Exportdatum | Datum des Exports | Exportiert am"
    " | Date d'exportation | Date de l'exportation | Exporté le | Fecha de exportación | Exportado el"
    " | Data de exportação | Data da exportação | Exportado em",
}
"""Leaf of a project's head -> its titles in the lines above a table."""

MONTHS = (
    "january jan januar jänner janvier janv enero ene janeiro",
    "february feb februar février févr fév febrero fevereiro fev",
    "march mar märz mär mrz mars marzo março",
    "april apr avril avr abril abr",
    "may mai mayo maio",
    "june jun juni juin junio junho",
    "july jul juli juillet juil julio julho",
    "august aug août agosto ago",
    "september sep sept septembre septiembre setembro set",
    "october oct oktober okt octobre octubre outubro out",
    "november nov novembre noviembre novembro",
    "december dec dezember dez décembre déc diciembre dic dezembro",
)
"""January to December."""

WEEKDAYS = (
    "monday mon montag mo lundi lun lunes segunda seg",
    "tuesday tue tues dienstag di mardi mar martes terça ter",
    "wednesday wed mittwoch mi mercredi mer miércoles mié quarta qua",
    "thursday thu thur thurs donnerstag do jeudi jeu jueves jue quinta qui",
    "friday fri freitag fr vendredi ven viernes vie sexta sex",
    "saturday sat samstag sonnabend sa samedi sam sábado sáb",
    "sunday sun sonntag so dimanche dim domingo dom",
)
"""Monday to Sunday."""

DATE_FILLERS = "de del of the st nd rd th er den der le la el à at a las às as um uhr feira t z h am pm m p"
"""Words that may stand in a date and say nothing."""

HOURS = {
    1 / 60: "m min mins minute minutes minuten minuto minutos",
    1: "h hr hrs hour hours std stunde stunden heure heures hora horas",
    8: "d day days t tag tage tagen j jour jours día días dia dias",
    40: "w wk wks week weeks woche wochen s sem semaine semaines semana semanas",
    160: "mo mon mons month months monat monate mois mes meses mês",
}
"""Hours in a unit of duration, by Project's own defaults: days of 8, weeks of 40 hours, months of 20 days."""

YES = "yes y true 1 x ja wahr oui vrai sí si verdadero sim verdadeiro"
PROGRESS_PERCENT = {
    "0": "Not started | Nicht begonnen | Nicht gestartet | Non commencé | Non démarré | Sin empezar | No iniciada"
    " | No iniciado | Não iniciada | Não iniciado | Não Iniciado | Future task | Zukünftiger Vorgang",
    "50": "In progress | In Arbeit | In Bearbeitung | Wird ausgeführt | En cours | En curso | En progreso"
    " | Em andamento | Em curso | Em progresso",
    "100": "Completed | Complete | Done | Abgeschlossen | Erledigt | Fertig | Terminé | Terminée | Achevé"
    " | Completada | Completado | Completo | Terminado | Concluída | Concluído",
}
"""Percent complete, as Planner itself gives it to programs (0, 50 or 100) -> the words that it shows to people.

https://learn.microsoft.com/graph/api/resources/plannertask (percentComplete)."""

NOTHING = "NA | N/A | #N/A | NV | N.V. | NOD | ND | N.D. | - | – | —"
"""What stands in a cell for "no value": Project's own, in five languages, and people's."""


_SIGNS = str.maketrans({"%": "percent", "º": "", "ª": ""})


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """A title without what exports and people write differently: case, accents, blanks, `_` and other signs."""
    bare = unicodedata.normalize("NFKD", text.translate(_SIGNS).casefold())
    return re.sub(r"[\W_]", "", "".join(sign for sign in bare if not unicodedata.combining(sign)))


def split(titles: str) -> list[str]:
    """`"A | B"` as plain titles."""
    return [plain(title) for title in titles.split("|")]


def look_up(table: dict[str, str]) -> dict[str, str]:
    """Plain title -> key."""
    found: dict[str, str] = {}
    for key, titles in table.items():
        for title in split(titles):
            found.setdefault(title, key)
    return found


ELEMENT = look_up(COLUMNS)
"""Plain title of a column -> what it holds."""
HEAD_LEAF = look_up(HEAD)
PERCENT_OF = look_up(PROGRESS_PERCENT)
MONTH = {plain(word): number for number, words in enumerate(MONTHS, 1) for word in words.split()}
WEEKDAY = {plain(word): number for number, words in enumerate(WEEKDAYS) for word in words.split()}
FILLERS = frozenset(plain(word) for word in DATE_FILLERS.split())
UNIT_HOURS = {plain(word): hours for hours, words in HOURS.items() for word in words.split()}
YES_WORDS = frozenset(plain(word) for word in YES.split())
NO_VALUE = frozenset(text.strip().casefold() for text in NOTHING.split("|"))


def is_nothing(text: str) -> bool:
    """Whether a cell's text stands for no value."""
    return text.strip().casefold() in NO_VALUE or not text.strip()
