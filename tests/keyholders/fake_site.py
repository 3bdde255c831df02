"""A site's trustee pages without a database: just enough to hold a ceremony and take shares."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from ballot.errors import BallotError
from ballot.protocol.messages import Polynomial, Proof, SignedMsg, TrusteePublicKey, Voutput, loads
from ballot.protocol.proofs import check_exponent
from ballot.protocol.trustees import (
    check_certificate,
    check_polynomial,
    check_public_key,
    check_voutput,
    make_threshold_parameters,
    make_vinputs,
    possession_statement,
)

UUID = "SmaLLe1ection1"
TOKEN = "a-token"
_ORDER = ("cert", "polynomial", "voutput")


class FakeSite:
    """`owners` holders of whom `threshold` are needed; one holder is a single key."""

    def __init__(self, owners: int = 3, threshold: int = 2) -> None:
        self.owners, self.threshold = owners, threshold
        self.sent: dict[int, dict[str, bytes]] = {n: {} for n in range(1, owners + 1)}
        self.archive, self.companion = b"", b"[]"
        self.uploads: list[tuple[str, bytes]] = []
        self.answer: tuple[int, dict[str, str], bytes] | None = None  # given instead of everything else
        self.tampered: dict[str, Any] = {}  # replaces fields of the view
        self.tokens_seen: set[str | None] = set()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def _do(self) -> None:
                site.tokens_seen.add(self.headers.get("Authorization"))
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, data = site.answer or site.handle(self.command, self.path, body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = _do  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def handle(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        try:
            if path.endswith("/archive"):
                return 200, {}, self.archive
            if path.endswith("/companion"):
                return 200, {}, self.companion
            match = re.fullmatch(rf"/api/trustee/{UUID}/(\d+)(?:/(\w+))?", path) or re.fullmatch(r"/api/trustee/\w+/(\d+)(?:/(\w+))?", path)
            if not match:
                return 404, {}, b"nothing here"
            owner = int(match[1])
            if method == "GET":
                return 200, {}, json.dumps({**self.view(owner), **self.tampered}).encode()
            self.receive(owner, match[2], body)
            return 200, {}, b"{}"
        except BallotError as error:
            return 409, {}, json.dumps({"error": "refused", "message": str(error)}).encode()

    def _all(self, name: str) -> list[bytes]:
        return [sent[name] for sent in self.sent.values() if name in sent]

    def _certs(self) -> list[SignedMsg]:
        return [SignedMsg.parse(data) for data in self._all("cert")]

    def _polynomials(self) -> list[Polynomial]:
        return [Polynomial.parse(data) for data in self._all("polynomial")]

    def stage(self, owner: int) -> str:
        sent = self.sent[owner]
        if self.owners == 1:
            if "key" not in sent:
                return "key"
        else:
            for name in _ORDER:
                if name not in sent:
                    return name
                if name != "voutput" and len(self._all(name)) < self.owners:
                    return "waiting"
        return "ready" if "possession" in sent else "possession"

    def view(self, owner: int) -> dict[str, Any]:
        view: dict[str, Any] = {
            "election": UUID,
            "name": "A ballot",
            "owner": owner,
            "holder": f"Holder {owner}",
            "kind": "single" if self.owners == 1 else "threshold",
            "size": self.owners,
            "threshold": self.threshold,
            "stage": self.stage(owner),
            "waiting_for": [f"Holder {n}" for n in self.sent if self.stage(n) not in {"waiting", "ready"}],
            "nonce": f"nonce-{owner}",
        }
        if len(self._all("cert")) == self.owners:
            view["certificates"] = [data.decode() for data in self._all("cert")]
        if len(self._all("polynomial")) == self.owners > 1:
            view["vinput"] = make_vinputs(self._certs(), self._polynomials())[owner - 1].to_bytes().decode()
        if "voutput" in self.sent[owner]:
            view["voutput"] = self.sent[owner]["voutput"].decode()
        return view

    def receive(self, owner: int, what: str, body: bytes) -> None:
        match what:
            case "key":
                check_public_key(TrusteePublicKey.parse(body), owner=owner)
            case "cert":
                check_certificate(SignedMsg.parse(body), index=owner, threshold=self.threshold, size=self.owners)
            case "polynomial":
                check_polynomial(self._certs(), owner, Polynomial.parse(body))
            case "voutput":
                check_voutput(self._certs(), self._polynomials(), owner, Voutput.parse(body))
            case "possession":
                value = loads(body)
                key = self.public_key(owner)
                check_exponent(possession_statement(UUID, owner, value["nonce"]), key.public_key, Proof.from_json(value["proof"]))
                assert f"nonce-{owner}" == value["nonce"]
            case _:
                self.uploads.append((what, body))
                return
        self.sent[owner][what] = body

    def public_key(self, owner: int) -> TrusteePublicKey:
        sent = self.sent[owner]
        return TrusteePublicKey.parse(sent["key"]) if "key" in sent else Voutput.parse(sent["voutput"]).public_key

    def parameters(self) -> bytes:
        voutputs = [Voutput.parse(data) for data in self._all("voutput")]
        return make_threshold_parameters(self._certs(), self._polynomials(), voutputs).to_bytes()
