"""One handler turns every error into a page, or into JSON for programs and the booth.

No reply carries a traceback. What the person can do about it is in the error's own sentence, written where it is raised.
"""

from __future__ import annotations

import logging
import re

from flask import Flask, Response, jsonify, make_response, redirect, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError

from ballot import errors as e
from ballot.language import phrase

log = logging.getLogger(__name__)

# The status belongs to the web, the sentence to whoever raises. The nearest class in an error's family decides.
STATUS: dict[type[e.BallotError], int] = {
    e.AlreadyVotedError: 409,
    e.NotOpenError: 403,
    e.VotingClosedError: 403,
    e.NotInElectorateError: 403,
    e.TokenInvalidError: 403,
    e.TypedCodeError: 403,
    e.NotAllowedError: 403,
    e.NotFoundError: 404,
    e.PreconditionError: 409,
    e.RefusedError: 422,
    e.SignInRequiredError: 401,
    e.SignInFailedError: 403,
    e.WrongRoleError: 403,
    e.CrossSiteRequestError: 403,
    e.TooManyTriesError: 429,
    e.UnavailableError: 503,
    e.NotSupportedError: 422,
    e.MalformedError: 400,
    e.BoardDamagedError: 500,
    e.VerificationError: 422,
    e.CountError: 422,
    e.ConfigurationError: 500,
    e.BallotError: 400,
}

TITLES = {
    400: phrase("We could not read that"),
    401: phrase("Please sign in"),
    403: phrase("This is not open to you"),
    404: phrase("There is no such page"),
    405: phrase("That cannot be done at this address"),
    409: phrase("That cannot be done now"),
    413: phrase("That is too large"),
    415: phrase("We could not read that kind of content"),
    422: phrase("That cannot be accepted"),
    429: phrase("Too many tries"),
    500: phrase("Something went wrong here"),
    503: phrase("Not available just now"),
}

PLAIN = {
    404: phrase("If you typed the address, check it. If you followed a link, the page may have moved."),
    405: phrase("Go back to the page you came from and use its buttons."),
    413: phrase("The largest page we take is 256 kB, and the largest file is named on the page that asks for it."),
    415: phrase("Send it as the page describes."),
    500: phrase("We have a note of it. Nothing was changed by halves. Please try again in a minute."),
}


def status_of(error: e.BallotError) -> int:
    """The HTTP status for a typed error: that of the nearest class in its family that has one."""
    for family in type(error).__mro__:
        if family in STATUS:
            return STATUS[family]
    return 400


def code_of(error: BaseException) -> str:
    """The word for a program: the error's own, or `SignInRequiredError` is `sign-in-required`."""
    if isinstance(error, e.RefusedError):
        return error.code
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__.removesuffix("Error")).lower()


def wants_json() -> bool:
    return request.path.startswith("/api/") or request.headers.get("X-Ballot") is not None or request.is_json


def answer(status: int, code: str, sentence: str, more: dict[str, object] | None = None) -> Response:
    if wants_json():
        response = jsonify({"error": code, "message": sentence} | (more or {}))
    else:
        title = TITLES.get(status, TITLES[400] if status < 500 else TITLES[500])
        response = make_response(render_template("errors/error.html", title=title, sentence=sentence, status=status))
    response.status_code = status
    return response


def on_ballot_error(error: e.BallotError) -> Response:
    """A typed error: its own sentence, its family's status."""
    if isinstance(error, e.SignInRequiredError) and not wants_json() and request.method in {"GET", "HEAD"}:
        return make_response(redirect("/officer/sign-in"))
    status = status_of(error)
    if status >= 500:
        log.error("%s: %s", code_of(error), error)
    receipt = getattr(error, "receipt", None)
    more: dict[str, object] = {}
    if receipt is not None:
        more["receipt"] = receipt.to_json() if hasattr(receipt, "to_json") else receipt
    return answer(status, code_of(error), str(error), more)


def on_csrf_error(_error: CSRFError) -> Response:
    return answer(
        400, "form-expired", phrase("This form has been open too long or was sent twice. Go back, load the page again and retry.")
    )


def on_http_error(error: HTTPException) -> Response:
    """An error of the web itself: no such page, too large, wrong method."""
    status = error.code or 500
    if status in {301, 302, 303, 307, 308}:
        return make_response(error.get_response())
    own_words = error.description if status == 400 and type(error).description != error.description else None
    sentence = PLAIN.get(status) or own_words or phrase("The request could not be understood. Go back and try again.")
    response = answer(status, re.sub(r"[^a-z]+", "-", error.name.lower()), sentence)
    if status == 405 and "Allow" in (headers := dict(error.get_headers())):
        response.headers["Allow"] = headers["Allow"]
    return response


def on_anything_else(error: Exception) -> Response:
    log.error("unexpected error at %s", request.endpoint, exc_info=error)
    return answer(500, "internal", PLAIN[500])


def install(app: Flask) -> None:
    app.register_error_handler(e.BallotError, on_ballot_error)
    app.register_error_handler(CSRFError, on_csrf_error)
    app.register_error_handler(InternalServerError, on_anything_else)
    app.register_error_handler(HTTPException, on_http_error)
    app.register_error_handler(Exception, on_anything_else)
