"""A site's trustee pages for programs: plain HTTPS, one bearer token, no redirects, bounded answers."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, Final

from ballot.errors import MalformedError, SiteRefusedError, UnusableInputError
from ballot.protocol.messages import loads

_TIMEOUT: Final = 120  # seconds
_CHUNK: Final = 1 << 20
_MAX_JSON: Final = 64 << 20  # bytes; a threshold group's messages, or everybody's companion proofs
_MAX_ERROR: Final = 1 << 16
_LOCAL: Final = {"localhost", "127.0.0.1", "::1"}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to wherever it points."""

    def redirect_request(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> None:  # noqa: ARG002 - the base class names them
        return None


class Client:
    """One site, asked in the name of one key-holder (or of nobody)."""

    def __init__(self, base: str, token: str | None = None) -> None:
        parts = urllib.parse.urlsplit(base)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
            raise UnusableInputError("the site's address must begin with https:// (http:// is only for a site on this machine)")
        if not parts.hostname or parts.query or parts.fragment or parts.username:
            raise UnusableInputError("the site's address must be like https://vote.example.org")
        if token is not None and not (token.isascii() and token.isprintable() and " " not in token and token):
            raise UnusableInputError("the token must be copied from the link in your mail, without spaces")
        self._base, self._token = base.rstrip("/"), token
        self._opener = urllib.request.build_opener(_NoRedirects)

    @contextmanager
    def _open(self, path: str, data: bytes | None = None) -> Iterator[http.client.HTTPResponse]:
        request = urllib.request.Request(self._base + path, data=data, method="GET" if data is None else "POST")  # noqa: S310 - scheme checked in __init__
        request.add_header("Accept", "application/json, */*")
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if self._token is not None:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as response:
                yield response
        except urllib.error.HTTPError as error:
            raise _refusal(error) from error
        except (urllib.error.URLError, http.client.HTTPException, ssl.SSLError, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise UnusableInputError(f"{self._base} cannot be reached: {reason}") from error

    def get(self, path: str, most: int = _MAX_JSON) -> bytes:
        """The whole answer, if it is of a bearable size, in bytes. Raises: SiteRefusedError, UnusableInputError."""
        with self._open(path) as response:
            data = response.read(most + 1)
        if len(data) > most:
            raise UnusableInputError("the site's answer is too large")
        return data

    def get_json(self, path: str) -> Any:
        """The answer as JSON. Raises: as `get`, MalformedError."""
        return loads(self.get(path))

    def download(self, path: str, file: BinaryIO) -> None:
        """Copy the answer to a file. Raises: as `get`."""
        with self._open(path) as response:
            while chunk := response.read(_CHUNK):
                file.write(chunk)

    def post(self, path: str, data: bytes) -> int:
        """Send these very bytes; the answer's status. Raises: as `get`."""
        with self._open(path, data) as response:
            response.read(_MAX_ERROR)
            return response.status


def _refusal(error: urllib.error.HTTPError) -> Exception:
    try:
        answer = loads(error.read(_MAX_ERROR))
    except (MalformedError, OSError, http.client.HTTPException):
        answer = None
    if isinstance(answer, dict) and isinstance(answer.get("message"), str):
        words = "".join(c if c.isprintable() else " " for c in answer["message"][:500])
        return SiteRefusedError(f"the site says: {words}")
    if 300 <= error.code < 400:
        return UnusableInputError("the site's address leads elsewhere: give the address it leads to")
    return UnusableInputError(f"the site answered with status {error.code} and no reason")


def token_subject(token: str) -> tuple[str, int] | None:
    """Election and owner that a key-holder's token names, unproven; None if it is of another kind."""
    body = token.rsplit(".", 1)[0]
    try:
        value = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except ValueError:
        return None
    match value:
        case [str(uuid), int(owner), *_]:
            return uuid, owner
    return None
