"""A real SMTP server on the loopback interface, with a mailbox, and bad days to order by the back door."""

from __future__ import annotations

import base64
import email
import socket
import ssl
import threading
from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import default

Answers = Mapping[str, str]
"""A verb of SMTP -> the answer in place of the usual one. `DOT` is the final dot of a message, `HELLO` the greeting."""

CUT, HANG, TRICKLE = "cut", "hang", "trickle"
"""In place of an answer: the connection ends, nothing comes, or a letter at a time without an end."""


class FakeSmtp:
    """Takes mail in threads until it is closed. `taken` is what it said yes to, and would deliver."""

    def __init__(self, context: ssl.SSLContext | None = None, *, tls: bool = False, account: str = "") -> None:
        """With a `context`, STARTTLS is offered; with `tls`, nothing is said without. `account` is `user:password`."""
        self.context, self.tls, self.account = context, tls, account
        self.taken: list[tuple[str, EmailMessage]] = []
        self.lines: list[str] = []
        """What was said to it, but for messages."""
        self.answers: Answers = {}
        self.of_recipient: dict[str, Answers] = {}
        """The same for single recipients, by their address."""
        self.encrypted = 0
        """How many connections were."""
        self._closing = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def recipients(self) -> list[str]:
        """Whom mail was taken for, in turn."""
        return [recipient for recipient, _ in self.taken]

    def close(self) -> None:
        self._closing.set()
        with socket.socket() as wake:
            wake.connect_ex(("127.0.0.1", self.port))
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            if self._closing.is_set():
                connection.close()
                return
            self._threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        session = _Session(self, connection)
        try:
            session.run()
        except (OSError, _CutError):
            pass  # whoever talked to us is gone, or is to think that we are
        finally:
            session.close()


class _CutError(Exception):
    """The connection is to end."""


class _Session:
    def __init__(self, server: FakeSmtp, connection: socket.socket) -> None:
        self.server, self.connection = server, connection
        self.file = connection.makefile("rb")
        self.recipient = ""
        self.greeted = False

    def close(self) -> None:
        self.file.close()
        self.connection.close()

    def run(self) -> None:
        if self.server.tls:
            self._encrypt()
        self._say("HELLO", "220 fake ready")
        while line := self.file.readline().decode("utf-8", "replace").strip():
            self.server.lines.append(line)
            verb = line.split()[0].upper()
            if verb == "QUIT":
                self._say(verb, "221 bye")
                return
            getattr(self, f"_{verb.lower()}", self._other)(line)

    def _say(self, verb: str, usual: str) -> bool:
        """Answer, or do what was ordered in place of it; whether the answer was the usual one."""
        ordered = self.server.of_recipient.get(self.recipient, {}).get(verb) or self.server.answers.get(verb)
        if ordered == CUT:
            raise _CutError
        if ordered in (HANG, TRICKLE):
            while not self.server._closing.wait(0.05):
                if ordered == TRICKLE:
                    self.connection.sendall(b"2")
            raise _CutError
        self.connection.sendall(f"{ordered or usual}\r\n".encode())
        return ordered is None

    def _encrypt(self) -> None:
        assert self.server.context is not None
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.file = self.connection.makefile("rb")
        self.server.encrypted += 1

    def _ehlo(self, _: str) -> None:
        self.greeted = True
        offers = ["fake"]
        offers += ["STARTTLS"] if self.server.context and not isinstance(self.connection, ssl.SSLSocket) else []
        offers += ["AUTH PLAIN"] if self.server.account else []
        lines = [f"250{'-' if number < len(offers) else ' '}{offer}" for number, offer in enumerate(offers, start=1)]
        self._say("EHLO", "\r\n".join(lines))

    def _starttls(self, _: str) -> None:
        if self._say("STARTTLS", "220 go ahead"):
            self._encrypt()
            self.greeted = False

    def _auth(self, line: str) -> None:
        user, _, password = base64.b64decode(line.split()[2]).decode().lstrip("\0").partition("\0")
        right = f"{user}:{password}" == self.server.account
        self._say("AUTH", "235 welcome" if right else f"535 no such user or password: {password}")

    def _mail(self, _: str) -> None:
        self._say("MAIL", "250 fine" if self.greeted else "503 who are you?")

    def _rcpt(self, line: str) -> None:
        self.recipient = line.partition("<")[2].rstrip(">")
        self._say("RCPT", "250 fine")

    def _data(self, _: str) -> None:
        if not self._say("DATA", "354 go on"):
            return
        content = b""
        while (line := self.file.readline()) not in (b".\r\n", b""):
            content += line[1:] if line.startswith(b".") else line
        if not line:
            raise _CutError
        ordered = self.server.of_recipient.get(self.recipient, {}).get("DOT") or self.server.answers.get("DOT")
        if ordered in (None, CUT, HANG):  # it has the mail, and delivers it, though it may not say so any more
            self.server.taken.append((self.recipient, email.message_from_bytes(content, policy=default)))
        self._say("DOT", "250 taken")

    def _rset(self, _: str) -> None:
        self.recipient = ""
        self._say("RSET", "250 fine")

    def _other(self, line: str) -> None:
        self._say(line.split(maxsplit=1)[0].upper(), "502 what?")
