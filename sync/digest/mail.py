"""Mail over SMTP, one person at a time: after each it is known whether the server took it, or that it is not known.

Only a server that has the whole of a message (RFC 5321, 4.2.5: from its answer to the final dot on) answers for it.
What fails before that did not arrive; where the connection ends between our dot and the answer, nobody can tell.
"""

from __future__ import annotations

import io
import re
import smtplib
import socket
import ssl
import time
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING

from sync.digest.memory import Outcome, Result
from sync.digest.terms import Security, Server
from sync.digest.text import line, said
from sync.secrets import redacted

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BROKEN = (OSError, smtplib.SMTPException)
_CLOSING = 421


class ClosedError(Exception):
    """Nothing can be sent this way now. The message is a whole sentence."""


class _Timed(io.RawIOBase):
    """What a socket receives, up to a moment: a server that sends a letter now and then keeps nobody waiting."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.ends_at = sock, 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.sock.settimeout(left)
        return self.sock.recv_into(buffer)


class _Plain(smtplib.SMTP):
    """A client that waits for each whole answer, and with each thing sent, no longer than its timeout."""

    _timed: _Timed | None = None

    def getreply(self) -> tuple[int, bytes]:
        sock = self.sock
        if sock is None:
            raise smtplib.SMTPServerDisconnected("there is no connection")
        if self._timed is None or self.file is None:  # it is made anew when the connection is encrypted
            self._timed = _Timed(sock)
            self.file = io.BufferedReader(self._timed)
        self._timed.ends_at = time.monotonic() + self.timeout
        reply = super().getreply()
        sock.settimeout(self.timeout)
        return reply


class _Tls(_Plain, smtplib.SMTP_SSL):
    """The same, encrypted from the first letter on."""


class Mailer:
    """An open connection to a mail server; use it in a `with`. Raises `ClosedError` if it cannot be opened."""

    def __init__(self, server: Server, password: str | None, timeout: float) -> None:
        self.server, self.password, self.timeout = server, password, timeout
        self.closed: str | None = None
        """Why nothing more can be sent, from when on that is so."""

    def __enter__(self) -> Mailer:
        try:
            self._smtp = self._opened()
        except ClosedError:
            raise
        except ssl.SSLCertVerificationError as error:
            raise self._unable("does not prove who it is", "correct smtp, or let this machine trust it") from error
        except smtplib.SMTPResponseException as error:
            what = f"does not let us in{said(f'{error.smtp_code} {_text(error.smtp_error)}')}"
            raise self._unable(what, "try again later, or ask who runs it") from error
        except TimeoutError as error:
            raise self._unable("does not answer in time", "look at it, and whether smtp is right") from error
        except (*_BROKEN, UnicodeError) as error:
            raise self._unable(_ended(error), "look at it, and whether smtp and security are right") from error
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(*_BROKEN):
            if self.closed is None:
                self._smtp.quit()
        self._smtp.close()

    def send(self, sender: str, recipient: str, message: EmailMessage) -> Outcome:
        """Hand over one message to one person."""
        content = re.sub(rb"(?m)^\.", b"..", message.as_bytes(policy=SMTP))
        try:
            refusal = self._announce(sender, recipient)
        except _BROKEN as error:
            self.closed = f"{self.server.host} {_ended(error)}; try again once it works."
            return Outcome(Result.REFUSED, self.closed)
        return refusal or self._hand_over(content)

    def _opened(self) -> smtplib.SMTP:
        server = self.server
        smtp: smtplib.SMTP
        if server.security is Security.TLS:
            context = ssl.create_default_context()
            smtp = _Tls(server.host, server.port, timeout=self.timeout, context=context)
        else:
            smtp = _Plain(server.host, server.port, timeout=self.timeout)
        try:
            self._let_in(smtp)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _let_in(self, smtp: smtplib.SMTP) -> None:
        server = self.server
        if server.security is Security.STARTTLS:
            try:
                smtp.starttls(context=ssl.create_default_context())
            except smtplib.SMTPNotSupportedError as error:
                next_step = 'write security = "tls" and its port, or ask who runs it'
                raise self._unable("offers no encryption (STARTTLS)", next_step) from error
        smtp.ehlo_or_helo_if_needed()
        if server.user is not None:
            try:
                smtp.login(server.user, self.password or "")
            except smtplib.SMTPNotSupportedError as error:
                raise self._unable("has no sign-in that we know", "take out user and password") from error
            except smtplib.SMTPAuthenticationError as error:
                if error.smtp_code // 100 == 4:
                    raise
                what = f"does not accept the user and password{said(error.smtp_error)}"
                raise self._unable(what, "correct or renew them") from error

    def _unable(self, what: str, next_step: str) -> ClosedError:
        return ClosedError(f"{self.server.host} {what}; {next_step}.")

    def _announce(self, sender: str, recipient: str) -> Outcome | None:
        """Say from whom and to whom it is; what the server has against it, if anything."""
        code, reply = self._smtp.docmd(f"MAIL FROM:<{sender}>")
        if code // 100 != 2:
            refusal = self._refused(code, reply, f"does not take mail from {sender}")
            self.closed = self.closed or f"{refusal.why}."
            return refusal
        for command, fine in ((f"RCPT TO:<{recipient}>", 2), ("DATA", 3)):
            code, reply = self._smtp.docmd(command)
            if code // 100 != fine:
                return self._refused(code, reply, f"does not take mail for {recipient}")
        return None

    def _hand_over(self, content: bytes) -> Outcome:
        try:
            self._smtp.send(content + b".\r\n")
            code, reply = self._smtp.getreply()
        except _BROKEN as error:
            self.closed = f"{self.server.host} {_ended(error)}; try again once it works."
            return Outcome(Result.UNKNOWN, f"{self.server.host} {_ended(error)} when it had the whole mail")
        if code // 100 == 2:
            return Outcome(Result.SENT)
        if code // 100 not in (4, 5):
            strange = f"{self.server.host} answers what no mail server would{said(reply)}"
            self.closed = f"{strange}; correct smtp."
            return Outcome(Result.UNKNOWN, strange)
        return self._refused(code, reply, "does not take the mail", "ask who runs it")

    def _refused(self, code: int, reply: bytes, what: str, next_step: str = "correct the address") -> Outcome:
        why = f"{self.server.host} {what}{said(f'{code} {_text(reply)}')}"
        try:
            if code == _CLOSING or self._smtp.docmd("RSET")[0] // 100 != 2:
                self.closed = f"{why}; try again later."
        except _BROKEN as error:
            self.closed = f"{self.server.host} {_ended(error)}; try again once it works."
        return Outcome(Result.REFUSED, f"{why}; {'try again later' if code // 100 == 4 else next_step}")


def _ended(error: Exception) -> str:
    """What became of a connection. smtplib wraps a timeout as a disconnection."""
    inner = error.__context__
    if isinstance(error, TimeoutError) or isinstance(inner, TimeoutError):
        return "does not answer in time"
    if isinstance(error, socket.gaierror | UnicodeError):
        return "is not known here"
    if isinstance(error, ssl.SSLError):
        return "speaks no TLS as it should"
    return "cut the connection" if isinstance(error, smtplib.SMTPServerDisconnected) else "cannot be reached"


def _text(reply: bytes | str) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply


def message(
    sender: tuple[str, str], to: tuple[str, str], headers: dict[str, str], text: str, html: str
) -> EmailMessage:
    """A mail in plain text and HTML. Names come from tools: none can begin another header, or name another address."""
    made = EmailMessage(policy=SMTP)
    made["From"] = _person(sender)
    made["To"] = _person(to)
    for name, value in headers.items():
        made[name] = value
    made.set_content(redacted(text), cte="quoted-printable")
    made.add_alternative(redacted(html), subtype="html", cte="quoted-printable")
    return made


def _person(named: tuple[str, str]) -> Address:
    name, address = named
    return Address(display_name=line(name, 60), addr_spec=address)
