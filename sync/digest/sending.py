"""Sends what is due: for each digest the intent is kept first, then it is handed over, then the result is kept."""

from __future__ import annotations

import secrets as chance
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial

from sync import ping, secrets
from sync.clock import Clock
from sync.config import Config
from sync.digest import memory, writing
from sync.digest.mail import ClosedError, Mailer, message
from sync.digest.memory import Outcome, Result, Way
from sync.digest.plan import Delivery, Plan
from sync.digest.terms import Reference, Server, Terms
from sync.digest.webhook import Hook
from sync.hosts import is_local, is_local_host
from sync.stopping import Stopping
from sync.stops import InvalidStop, UnsafeStop
from sync.store import Store


@dataclass(slots=True)
class Sent:
    """What became of a plan."""

    outcomes: list[tuple[Delivery, Outcome]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    """Why a way could not be taken, or not to its end: whole sentences."""
    left: int = 0
    """Digests that were not tried for that reason."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How digests may go, with the secrets that this takes."""

    terms: Terms
    password: str | None
    webhook: str | None


def ways_of(config: Config, clock: Clock) -> Ways:
    """What config says, if anything may be sent at all. Raises `InvalidStop` or `UnsafeStop`."""
    terms = config.digest
    if not terms.send:
        raise UnsafeStop(f"{config.path}: digest.send is false: nothing is sent; take it out to send again.")
    if terms.server is None and terms.webhook is None:
        raise InvalidStop(
            f"{config.path}: digest: there is no way to send it; set smtp or webhook, or leave out --apply to print it."
        )
    password = _secret(config, "password", terms.server.password if terms.server else None)
    webhook = _secret(config, "webhook", terms.webhook)
    if webhook and (why := ping.mistake(webhook)):
        raise InvalidStop(f"{config.path}: digest.webhook: {why}.")
    if clock.rehearsal and not _is_here(terms, webhook):
        raise UnsafeStop("No digest leaves this machine while UNSTUCK_NOW sets the clock; unset it, or only plan.")
    return Ways(terms, password, webhook)


def _secret(config: Config, key: str, reference: Reference | None) -> str | None:
    if reference is None:
        return None
    try:
        return secrets.resolve(reference, config.folder, private=True)
    except secrets.NoSecretError as error:
        raise InvalidStop(f"{config.path}: digest.{key}: {error}.") from error


def _is_here(terms: Terms, webhook: str | None) -> bool:
    mail = terms.server is None or is_local_host(terms.server.host)
    return mail and (webhook is None or is_local(webhook))


def send(
    plan: Plan, ways: Ways, store: Store, clock: Clock, give: Callable[[Sequence[Delivery]], None], stopping: Stopping
) -> Sent:
    """Send all that is due. `give` prints those that stay here. Raises `UnsafeStop` if they are too many."""
    mails = sum(delivery.way is Way.MAIL for delivery in plan.due)
    if mails > ways.terms.most:
        raise UnsafeStop(
            f"{mails} mails would go out at once, and [digest] most is {ways.terms.most}: look at who gets one with "
            "`unstuck digest`, and raise it if that is right."
        )
    return _Sending(plan, ways, store, clock, stopping).all(give)


class _Sending:
    """One call of `send`."""

    def __init__(self, plan: Plan, ways: Ways, store: Store, clock: Clock, stopping: Stopping) -> None:
        self.plan, self.ways, self.terms = plan, ways, ways.terms
        self.store, self.clock, self.stopping = store, clock, stopping
        self.sent = Sent()

    def all(self, give: Callable[[Sequence[Delivery]], None]) -> Sent:
        here = self._of(Way.HERE)
        if here:
            give(here)  # before anything is sent, as a file that cannot be written stops us
        for delivery in here:
            self._keep(delivery, lambda: Outcome(Result.SENT))
        self._post(self._of(Way.WEBHOOK))
        self._mail(self._of(Way.MAIL))
        return self.sent

    def _of(self, way: Way) -> list[Delivery]:
        return [delivery for delivery in self.plan.due if delivery.way is way]

    def _keep(self, delivery: Delivery, hand_over: Callable[[], Outcome]) -> Outcome:
        number = memory.begin(self.store, self.clock, self.plan.sending(delivery))
        outcome = hand_over()
        memory.end(self.store, self.clock, number, outcome)
        self.sent.outcomes.append((delivery, outcome))
        return outcome

    # Chats

    def _post(self, deliveries: Sequence[Delivery]) -> None:
        if not deliveries or self.ways.webhook is None or self.stopping.by:
            return
        with Hook(self.ways.webhook, self.terms.timeout) as hook:
            for delivery in deliveries:
                made = writing.payload(delivery.content, self.plan.by, self.terms.items, self.terms.chat)
                self._keep(delivery, partial(hook.send, made))

    # Mail

    def _mail(self, deliveries: Sequence[Delivery]) -> None:
        server = self.terms.server
        if not deliveries or server is None or self.stopping.by:
            return
        tried = 0
        try:
            with Mailer(server, self.ways.password, self.terms.timeout) as mailer:
                for delivery in self._while_open(deliveries, mailer):
                    made = self._message(server, delivery)
                    outcome = self._keep(delivery, partial(mailer.send, server.sender[1], delivery.address, made))
                    tried += mailer.closed is None or outcome.result is not Result.REFUSED
                if mailer.closed:
                    self.sent.closed.append(mailer.closed)
        except ClosedError as error:
            self.sent.closed.append(str(error))
        self.sent.left += len(deliveries) - tried

    def _while_open(self, deliveries: Sequence[Delivery], mailer: Mailer) -> Iterator[Delivery]:
        for delivery in deliveries:
            if mailer.closed or self.stopping.by:
                return
            yield delivery

    def _message(self, server: Server, delivery: Delivery) -> EmailMessage:
        content, by, most = delivery.content, self.plan.by, self.terms.items
        name = content.names[0] if len(content.names) == 1 else ""
        headers, farewell = self._headers(content.subject, server.sender[1]), _farewell(self.terms)
        plain, page = (write(content, by, most, farewell) for write in (writing.text, writing.html))
        return message(server.sender, (name, delivery.address), headers, plain, page)

    def _headers(self, subject: str, sender: str) -> dict[str, str]:
        """Beside who it is from and to. A machine sent it (RFC 3834), and who wants none has an address only if a
        person reads what is sent there (RFC 2369)."""
        domain = sender.rpartition("@")[2]
        headers = {
            "Subject": subject,
            "Date": format_datetime(self.clock.now),
            "Message-ID": f"<unstuck.{self.plan.period.name}.{chance.token_hex(8)}@{domain}>",
            "Auto-Submitted": "auto-generated",
        }
        if self.terms.unsubscribe:
            headers["List-Unsubscribe"] = f"<mailto:{self.terms.unsubscribe}?subject=no%20digest>"
        return headers


def _farewell(terms: Terms) -> list[str]:
    """Why this came, and how it ends."""
    sentences = [f"You get this at most once a {terms.every}, and only when there is something to tell."]
    if terms.unsubscribe:
        sentences.append(f"If you want no more of it, write to {terms.unsubscribe}.")
    return sentences
