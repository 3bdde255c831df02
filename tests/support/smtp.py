"""A real SMTP server on loopback that keeps what it accepts and misbehaves on request."""

from __future__ import annotations

import email
import email.policy
import socketserver
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Self, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.support.ports import free_port

ACCEPT = "250 Message accepted for delivery"


@dataclass(frozen=True)
class Delivered:
    """One message as the server took it."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    over_tls: bool

    @property
    def message(self) -> EmailMessage:
        """The parsed message."""
        return cast("EmailMessage", email.message_from_bytes(self.content, policy=email.policy.default))

    @property
    def text(self) -> str:
        """Its plain text part."""
        body = self.message.get_body(("plain",))
        assert body is not None
        return cast("str", body.get_content()).replace("\r\n", "\n")

    @property
    def html(self) -> str:
        """Its HTML part."""
        body = self.message.get_body(("html",))
        assert body is not None
        return cast("str", body.get_content()).replace("\r\n", "\n")


class _Handler:
    def __init__(self, server: SMTPServer) -> None:
        self.server = server

    async def handle_RCPT(self, _smtp: Any, _session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        answer = self.server.on_recipient(address)
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return answer

    async def handle_DATA(self, _smtp: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        delivered = Delivered(envelope.mail_from, tuple(envelope.rcpt_tos), bytes(envelope.content), session.ssl is not None)
        answer = self.server.on_message(delivered)
        if answer.startswith("2"):
            with self.server.lock:
                self.server.delivered.append(delivered)
        return answer


class RudeServer:
    """Speaks just enough SMTP to hang up at one moment: right before it would answer this line (`connect`, `EHLO`, … or `.`)."""

    def __init__(self, hang_up_at: str) -> None:
        self.hang_up_at, self.texts = hang_up_at, 0
        rude = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                if rude.hang_up_at == "connect":
                    return
                self.wfile.write(b"220 rude\r\n")
                in_text = False
                while line := self.rfile.readline():
                    word = line.strip().decode().upper()
                    if in_text and word != ".":
                        continue
                    verb = word.split(" ")[0].split(":")[0]
                    if verb == ".":
                        in_text = False
                        rude.texts += 1
                    if verb == rude.hang_up_at:
                        return
                    in_text = verb == "DATA"
                    self.wfile.write(b"354 go on\r\n" if in_text else b"250 OK\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class DsnServer:
    """Speaks just enough SMTP to say that it knows delivery reports (RFC 3461); keeps the lines that it was sent."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        keep = self.lines

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 ready\r\n")
                in_text = False
                while line := self.rfile.readline():
                    words = line.decode().rstrip("\r\n")
                    if in_text:
                        in_text = words != "."
                        answer = b"" if in_text else b"250 taken\r\n"
                    else:
                        keep.append(words)
                        in_text = words.upper() == "DATA"
                        answer = b"354 go on\r\n" if in_text else b"250 OK\r\n"
                        if words.upper().startswith("EHLO"):
                            answer = b"250-here\r\n250 DSN\r\n"
                    self.wfile.write(answer)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class SMTPServer:
    """Started by entering it. `on_recipient` and `on_message` decide the answers; the default is to accept."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, from_first_byte: bool = False, login: tuple[str, str] | None = None) -> None:
        self.delivered: list[Delivered] = []
        self.lock = threading.Lock()
        self.on_recipient: Callable[[str], str] = lambda _address: "250 OK"
        self.on_message: Callable[[Delivered], str] = lambda _delivered: ACCEPT
        self.host, self.port = "127.0.0.1", free_port()
        options: dict[str, Any] = {}
        if tls is not None and from_first_byte:
            options |= {"ssl_context": tls}
        elif tls is not None:
            options |= {"tls_context": tls, "require_starttls": True}
        if login is not None:

            def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
                right = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == login
                return AuthResult(success=right, handled=False)

            options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": tls is not None}
        self.controller = Controller(_Handler(self), hostname=self.host, port=self.port, **options)

    def __enter__(self) -> Self:
        self.controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.controller.stop()

    def to(self, address: str) -> list[Delivered]:
        """What was accepted for one address, oldest first."""
        with self.lock:
            return [delivered for delivered in self.delivered if address in delivered.recipients]
