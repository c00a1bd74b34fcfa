"""How good an outcome metric is, as far as its text alone can tell, and what counts as a placeholder anywhere."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import cached_property, lru_cache

from rules.text import ascii_or, blank_sql, fold

SHIPPED = (
    # English
    "x", "tbd", "tba", "tbc", "tbs", "t.b.d", "t.b.c", "n/a", "na", "n.a", "none", "nil", "null", "nothing", "unknown",
    "undefined", "not applicable", "not available", "not defined", "not defined yet", "not known", "not set",
    "to be defined", "to be determined", "to be decided", "to be discussed", "to be confirmed", "to be announced",
    "to be completed", "to be done", "to do", "todo", "to follow", "fill in", "fill me in", "fixme", "placeholder",
    "pending", "later", "see above", "see below", "same as above", "as above", "test", "dummy", "foo", "asdf",
    "lorem*", "insert * here",
    # German
    "offen", "noch offen", "folgt", "folgt noch", "wird nachgereicht", "wird noch definiert", "noch zu definieren",
    "zu definieren", "nicht definiert", "noch nicht definiert", "unbekannt", "keine", "keiner", "kein", "k.a", "k. a",
    "keine angabe", "entfällt", "in klärung", "siehe oben", "platzhalter",
    # French
    "à définir", "a definir", "à déterminer", "à compléter", "à venir", "à confirmer", "à préciser", "non défini",
    "non applicable", "aucun", "aucune", "néant", "inconnu", "s.o",
    # Spanish and Portuguese
    "por definir", "por determinar", "por confirmar", "por completar", "pendiente", "sin definir", "no aplica",
    "ninguno", "ninguna", "desconocido", "no definido", "pendente", "não definido", "não se aplica", "nenhum",
    # Italian and Dutch
    "da definire", "da determinare", "da confermare", "da completare", "non definito", "nessuno", "nessuna",
    "nog te bepalen", "n.t.b", "ntb", "nog niet bekend", "onbekend", "volgt", "geen", "n.v.t", "nvt",
    # Polish, Swedish, Danish
    "do ustalenia", "do uzupełnienia", "brak", "nie dotyczy", "ej definierad", "saknas", "ikke defineret", "mangler",
)  # fmt: skip
"""Texts that say nothing. A `*` stands for any text; case and what punctuation surrounds a text do not matter."""

_AROUND = " \t\n\v\f\r\x1c\x1d\x1e\x1f\u00a0.,:;!?-_*#/\\|~()[]{}<>\"'`=+^&@–—…·•‐‑‒―¿¡？！。、«»“”„‘’"
"""What may stand around a placeholder; a text of nothing else is one."""


class Placeholders:
    """Decides whether a text is a placeholder: one definition, in Python and in SQL."""

    def __init__(self, texts: Iterable[str] = SHIPPED) -> None:
        cores = {core for text in texts if (core := fold(text).strip(_AROUND.replace("*", "")))}
        self.words = tuple(sorted(core for core in cores if "*" not in core))
        self.patterns = tuple(sorted(core for core in cores if "*" in core))
        self._words = frozenset(self.words)

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile("|".join(map(_as_regex, self.patterns)) or r"(?!)", re.DOTALL)

    def __call__(self, text: str) -> bool:
        """Whether a text is there, and says nothing."""
        folded = fold(text)
        core = folded.strip(_AROUND)
        if not folded or not core:
            return bool(folded)
        return core.strip("x") == "" or core in self._words or self._regex.fullmatch(core) is not None

    def sql(self, column: str) -> tuple[str, tuple[str, ...]]:
        """SQL for the same question about a column, and its parameters. NULL is no placeholder.

        The core is worked out once, in a subquery, and only where something stands around it. NOCASE and LIKE
        disregard the case of ASCII, and nothing else gets that far.
        """
        plain = "GLOB '[0-9A-Za-z]*[0-9A-Za-z]'"
        words = tuple(word for word in self.words if word.isascii())
        patterns = tuple(_as_like(pattern) for pattern in self.patterns if pattern.isascii())
        tests = [f"core COLLATE NOCASE IN ({', '.join('?' for _ in words)})", "trim(core, 'xX') = ''"]
        tests += ["core LIKE ? ESCAPE '\\'" for _ in patterns]
        core = f"SELECT CASE WHEN {column} {plain} THEN {column} ELSE trim({column}, ?) END AS core"
        native = f"(SELECT {' OR '.join(tests)} FROM ({core})) AND NOT {blank_sql(column)}"
        return ascii_or(column, native, "is_placeholder"), (*words, *patterns, _AROUND)


def _as_regex(pattern: str) -> str:
    return ".*".join(re.escape(part) for part in pattern.split("*"))


def _as_like(pattern: str) -> str:
    return "%".join(re.sub(r"[%_\\]", r"\\\g<0>", part) for part in pattern.split("*"))


_TECHNICAL = (
    "uptime", "up-time", "availability", "deployments?", "deploys?", "releases?", "velocity", "story ?points?",
    "code coverage", "test coverage", "coverage", "code quality", "bugs?", "defects?", "latency", "response times?",
    "throughput", "sprints?", "burn-?downs?", "commits?", "pull requests?", "merge requests?", "lines of code", "loc",
    "mttr", "mtbf", "mttd", "build times?", "build", "lead times? for changes", "change failure rate",
    "tech(?:nical)? debt", "cpu", "memory", "ram", "disk", "load times?", "error rates?", "errors? per", "p9[059]",
    "5xx", "servers?", "api calls?", "requests per second", "rps", "qps", "incidents?", "migrat\\w+", "refactor\\w*",
    "unit tests?", "pipelines?", "sonar\\w*", "vulnerabilities", "cves?", "patch\\w*", "backups?", "verfügbarkeit",
    "testabdeckung", "codequalität", "antwortzeit(?:en)?", "latenz", "durchsatz", "fehlerrate", "disponibilité",
    "couverture de (?:code|tests?)", "temps de réponse", "déploiements?", "latence", "disponibilidad",
    "cobertura de (?:código|pruebas)", "despliegues?", "tiempo de respuesta", "latencia",
)  # fmt: skip
"""What only IT counts (regular expressions, whole words)."""

_BUSINESS = (
    "revenues?", "sales", "sold", "turnover", "incomes?", "profit\\w*", "margins?", "ebitda?", "roi", "costs?",
    "savings?", "save[sd]?", "spend\\w*", "budgets?", "cash\\w*", "working capital", "eur", "usd", "gbp", "chf",
    "euros?", "dollars?", "price\\w*", "fees?", "customers?", "clients?", "consumers?", "buyers?", "subscribers?",
    "patients?", "citizens?", "members?", "churn", "retention", "renewals?", "nps", "csat", "ces", "satisfaction",
    "complaints?", "conversions?", "leads", "orders?", "baskets?", "carts?", "market share", "adoption",
    "time to market", "hours saved", "productivity", "headcount", "fte", "attrition", "engagement", "risks?",
    "fines?", "penalt\\w+", "fraud\\w*", "compliance", "audit findings?", "losses", "claims?", "inventory", "waste",
    "co2", "emissions?", "accidents?", "injur\\w+", "returns?", "refunds?", "bookings?", "contracts?", "donations?",
    "umsatz\\w*", "erlös\\w*", "gewinn\\w*", "marge", "kosten\\w*", "einspar\\w+", "kund\\w+", "zufriedenheit",
    "abwanderung", "beschwerden?", "marktanteil\\w*", "risik\\w+", "schäden", "bestellung\\w*", "chiffre d'affaires",
    "ventes?", "bénéfices?", "coûts?", "économies?", "clients?", "clientes?", "réclamations?", "risques?", "ingresos",
    "ventas", "beneficios?", "costes?", "costos?", "ahorros?", "satisfacción", "quejas?", "riesgos?",
)  # fmt: skip
"""What a business counts; a text that names one of these is not technical, whatever else it names."""

_CURRENCY = re.compile(r"[$€£¥₹]")
_NO_MEASURE = re.compile(
    r"\d{4}-\d\d(?:-\d\d)?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\b[qh][1-4]\b|\b[1-4]q\b|\b(?:fy|cy)\s?'?\d\d(?:\d\d)?\b"
    r"|\b20[1-4]\d\b(?!\s*(?:%|percent|prozent|[$€£]))(?<![$€£]\d{4})|\b(?:phase|version|release|step|iso|v|sprint|wave|level)\s?\d[\d.]*"
)
"""Digits that are no amount: dates, quarters, years, and the numbers of phases, versions and standards."""
_NUMBER = re.compile(
    r"\d|\b(?:doubl\w+|tripl\w+|halv\w+|half|twice|zero|verdoppel\w*|halbier\w*|doubler|moitié|doblar|mitad)\b"
)


def _words(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(patterns)})\b")


class Grader:
    """Grades metric texts: 0 missing, 1 placeholder, 2 technical, 3 vague, 4 has a number (see `columns.GRADES`)."""

    def __init__(self, placeholders: Iterable[str] = SHIPPED) -> None:
        self._placeholder = Placeholders(placeholders)
        self._technical = _words(_TECHNICAL)
        self._business = _words(_BUSINESS)
        self.sha = self._hash()
        """Changes when any text could be graded otherwise: what was graded before is then to be graded again."""
        self.grade = lru_cache(maxsize=1024)(self._grade)
        """The grade of one text. Many items have the same."""

    def _grade(self, metric: str | None) -> int:
        folded = fold(metric or "")
        if not folded:
            return 0
        if self._placeholder(folded):
            return 1
        if self._technical.search(folded) and not self._business.search(folded) and not _CURRENCY.search(folded):
            return 2
        return 4 if _NUMBER.search(_NO_MEASURE.sub(" ", folded)) else 3

    def _hash(self) -> str:
        known = (self._placeholder.words, self._placeholder.patterns, _AROUND, _TECHNICAL, _BUSINESS)
        expressions = (_CURRENCY.pattern, _NO_MEASURE.pattern, _NUMBER.pattern)
        return hashlib.sha256(repr((known, expressions)).encode()).hexdigest()[:16]
