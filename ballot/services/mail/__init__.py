"""Mail: letters wait sealed in the database until a mail server has taken them, one recipient and one message each.

The life of a mail: `waiting` → `sending` → `accepted`, or back to `waiting` when the server asks for patience (4xx, no
connection), or `failed` (5xx), or `unknown`: the text had left and no answer came. `bounced` comes later, from outside.

Once per member, as far as SMTP allows. A sender claims a mail in a transaction of its own before it speaks to the server, and
records that the text is about to be complete before it sends the line that completes it. After a crash, a claim without that
record goes back to waiting (the server cannot have taken it); a claim with it is `unknown` and waits for a person to decide.
The `Message-ID` belongs to the mail, not to the try, so that a second try can be recognised as the same letter.
"""

from ballot.services.mail.bounces import Action, Fault, Report, fault_of, is_hard, read_report
from ballot.services.mail.letters import (
    Asked,
    Decided,
    Letter,
    checked_address,
    checked_heading,
    checked_introduction,
    checked_subject,
    invitation,
    receipt,
    result,
    roll_answer,
    second_person,
    sign_in,
    test_of,
    trustee_link,
    usual_subject,
)
from ballot.services.mail.outbox import Mailer, Outcome, Outgoing, State, Text
from ballot.services.mail.sender import Sender, start_in_background
from ballot.services.mail.transport import Catcher, Caught, SmtpTransport, Transport, caught, transport_for

__all__ = [
    "Action", "Asked", "Catcher", "Caught", "Decided", "Fault", "Letter", "Mailer", "Outcome", "Outgoing", "Report", "Sender",
    "SmtpTransport", "State", "Text", "Transport", "caught", "checked_address", "checked_heading", "checked_introduction",
    "checked_subject", "fault_of", "invitation", "is_hard", "read_report", "receipt", "result", "roll_answer", "second_person", "sign_in",
    "start_in_background", "test_of", "transport_for", "trustee_link", "usual_subject",
]  # fmt: skip
