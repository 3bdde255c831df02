"""The voting booth: its frame, and the few questions that it asks. The booth itself runs in the browser.

Nothing here carries a cookie or a session: a member is whoever holds a voting token, and the token comes inside each request's
body. Only `cast` changes anything. What the booth is told about an election beyond dates and names it takes from the
election's own text, whose fingerprint it checks.
"""

from flask import Blueprint

bp = Blueprint("booth", __name__)

from ballot.web.booth import pages, requests  # noqa: E402, F401  the views register themselves on `bp`
