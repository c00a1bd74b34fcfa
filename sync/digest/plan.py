"""Who gets what, and who gets none and why: worked out before anything is sent, as for every write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from rules.engine import Today
from rules.ruleset import RuleSet
from sync.clock import Clock
from sync.config import Config
from sync.digest import gather, memory, optouts, people
from sync.digest.gather import Gathered
from sync.digest.memory import WEBHOOK, Period, Result, Sending, Way
from sync.digest.model import Content, Entry, Kind, together
from sync.digest.terms import By, Terms, folded
from sync.store import Store
from sync.today import today


class State(StrEnum):
    """Whether a digest is to be sent now."""

    DUE = "due"
    HAD = "had"
    """One of this period was sent, maybe for somebody else of the same address."""
    UNKNOWN = "unknown"
    """One of this period may have been."""
    DAY_OFF = "day off"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One digest, and the way that it takes."""

    way: Way
    content: Content
    address: str
    """Empty where it is not mailed."""
    state: State = State.DUE
    again: bool = False
    """By a person's word, though one of this period was sent, or may have been."""

    @property
    def who(self) -> Mapping[str, str]:
        """All that it is for, as the store calls them -> as people do."""
        if self.way is Way.WEBHOOK:
            return {WEBHOOK: WEBHOOK}
        if self.way is Way.HERE:
            return {memory.of_printed(name): name for name in self.content.names}
        names = {memory.of_name(name): name for name in self.content.names}
        return {**names, memory.of_address(self.address): "address"}

    @property
    def names(self) -> tuple[str, ...]:
        """Whom people know it by."""
        return (WEBHOOK,) if self.way is Way.WEBHOOK else self.content.names


@dataclass(frozen=True, slots=True)
class Plan:
    """All of them."""

    by: By
    period: Period
    deliveries: tuple[Delivery, ...]
    contents: tuple[Content, ...]
    """By name, also of those who get none."""
    opted_out: tuple[str, ...]
    """Of those whom there would be something to tell."""
    nobodys: tuple[Entry, ...]
    """In no digest but a chat's."""

    @property
    def due(self) -> tuple[Delivery, ...]:
        """Those to be sent now."""
        return self.of(State.DUE)

    @property
    def posted(self) -> bool:
        """Whether a chat gets one, or had it."""
        return any(delivery.way is Way.WEBHOOK for delivery in self.deliveries)

    def sending(self, delivery: Delivery) -> Sending:
        """What the store keeps of one."""
        return Sending(self.period, self.by, delivery.way, delivery.who, delivery.content.items, delivery.again)

    def of(self, state: State) -> tuple[Delivery, ...]:
        """Those in a state."""
        return tuple(delivery for delivery in self.deliveries if delivery.state is state)


def plan(config: Config, ruleset: RuleSet, store: Store, clock: Clock, by: By, again: frozenset[str]) -> Plan:
    """Everything, as of now. `again` are names, folded, whose digest is sent though one of this period was."""
    moment = today(config, clock.now)
    opted_out = optouts.read(config, moment.date)
    period = memory.period(moment.date, config.digest.every, clock)
    gathered = gather.gather(config, ruleset, store, clock, by, memory.before(store, period))
    wanted = [each for each in gathered.contents if folded(each.names[0]) not in opted_out]
    unwanted = [each.names[0] for each in gathered.contents if folded(each.names[0]) in opted_out]
    deliveries = [*_to_chat(config.digest, wanted, gathered), *_to_people(config.digest, by, wanted)]
    had = memory.had(store, period)
    states = [_with_state(each, had, again, _is_day_off(each, moment)) for each in deliveries]
    return Plan(by, period, tuple(states), tuple(wanted), tuple(unwanted), gathered.nobodys)


def _to_chat(terms: Terms, contents: Sequence[Content], gathered: Gathered) -> Iterator[Delivery]:
    """One of all, also of what is nobody's; what got better counts from the chat's own last one."""
    if terms.webhook is None:
        return
    everybody = together([*contents, Content((), *_by_kind(gathered.nobodys), as_of=gathered.as_of)])
    content = replace(everybody, names=tuple(each.names[0] for each in contents if each.items), better=gathered.better)
    if not content.empty:
        yield Delivery(Way.WEBHOOK, content, "")


def _by_kind(entries: Sequence[Entry]) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    stuck = tuple(entry for entry in entries if entry.kind is Kind.STUCK)
    return stuck, tuple(entry for entry in entries if entry.kind is Kind.OUTCOME)


def _to_people(terms: Terms, by: By, contents: Sequence[Content]) -> Iterator[Delivery]:
    """One for each address, whatever names it has; those without one have theirs printed, if mail is sent at all."""
    if terms.server is None:
        return
    alike: dict[str, list[Content]] = {}
    addresses = {content.names[0]: people.address(terms, by, content.names[0]) or "" for content in contents}
    for content in contents:
        alike.setdefault(addresses[content.names[0]].casefold(), []).append(content)
    strangers = alike.pop("", [])
    for several in alike.values():
        yield Delivery(Way.MAIL, together(several), addresses[several[0].names[0]])
    for content in strangers:
        yield Delivery(Way.HERE, content, "")


def _with_state(delivery: Delivery, had: Mapping[str, Result], again: frozenset[str], day_off: bool) -> Delivery:
    results = {had[who] for who in delivery.who if who in had}
    forced = any(folded(name) in again for name in delivery.names)
    if day_off:
        return replace(delivery, state=State.DAY_OFF)
    if results and not forced:
        return replace(delivery, state=State.UNKNOWN if Result.UNKNOWN in results else State.HAD)
    return replace(delivery, again=forced)


def _is_day_off(delivery: Delivery, moment: Today) -> bool:
    """In any of the calendars that its items go by; a chat, where many read, goes by the default one."""
    numbers = delivery.content.calendars if delivery.way is not Way.WEBHOOK else frozenset[int]()
    return not all(moment.calendars[number].is_business(moment.date) for number in numbers or {0})
