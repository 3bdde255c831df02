"""Mail: letters wait sealed in the database until a mail server has taken them, one recipient and one message each.

The life of a mail: `waiting` → `sending` → `accepted`, or back to `waiting` when the server asks for patience (4xx, no
connection), or `failed` (5xx), or `unknown`: the text had left and no answer came. `bounced` comes later, from outside.

Once per member, as far as SMTP allows. A sender claims a mail in a transaction of its own before it speaks to the server, and
records that the text is about to be complete before it sends the line that completes it. After a crash, a claim without that
record goes back to waiting (the server cannot have taken it); a claim with it is `unknown` and waits for a person to decide.
The `Message-ID` belongs to the mail, not to the try, so that a second try can be recognised as the same letter.
"""

from ballot.services.mail.bounces import bounced_message_ids
from ballot.services.mail.letters import Asked, Letter, checked_address, checked_heading, invitation, receipt, result, sign_in, trustee_link
from ballot.services.mail.outbox import Mailer, State, Text
from ballot.services.mail.sender import Sender, start_in_background
from ballot.services.mail.transport import Catcher, Caught, SmtpTransport, Transport, caught, transport_for

__all__ = [
    "Asked", "Catcher", "Caught", "Letter", "Mailer", "Sender", "SmtpTransport", "State", "Text", "Transport", "bounced_message_ids",
    "caught", "checked_address", "checked_heading", "invitation", "receipt", "result", "sign_in", "start_in_background", "transport_for",
    "trustee_link",
]  # fmt: skip
