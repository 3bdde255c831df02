"""Links, codes and public credentials: what the credential authority of the v1 text does (3.1).

By default the service is the registrar: it derives each code from `keys.registrar`, the meeting and the roll entry, and can do so
again when a link is lost. In a split-trust meeting the membership secretary is: their machine derives the codes
(`ballot codes …`), the service is given the public credentials alone, and its links carry no code.

The list that goes out to the registrar (`registrar_list`) is CSV with the headings handle, name, email, link. The list
that comes back (`receive_credentials`), one for each election, is CSV with the headings handle, credential.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, insert
from sqlmodel import Session, col, select

from ballot.config import Config
from ballot.errors import MalformedError, NotFoundError, PreconditionError
from ballot.language import N_, TextEnum, phrase
from ballot.models import Cast, Election, ElectionState, Electorate, Meeting, Roll, RollEntry, table
from ballot.protocol.credentials import derive_code, public
from ballot.protocol.messages import PublicCredentials
from ballot.services import approvals, roll
from ballot.services.journal import Act, Actor, append
from ballot.services.keys import Keys
from ballot.services.rights import Move, require
from ballot.services.tokens import make_voting_token


class Cause(TextEnum):
    """Why a link is reissued or withdrawn. A fixed list, because the journal is published and must name nobody."""

    NEVER_ARRIVED = N_("the mail never arrived")
    WRONG_ADDRESS = N_("the address was wrong")
    SEEN_BY_OTHERS = N_("somebody else may have seen the link")
    DEVICE_LOST = N_("the device with the link was lost")
    MEMBER_ASKED = N_("the member asked")
    NO_LONGER_MEMBER = N_("the membership ended after the freeze")


@dataclass(frozen=True)
class Link:
    """What a member's mail carries. `code` is None in a split-trust meeting, where the registrar adds it offline."""

    url: str
    code: str | None


def voting_code(keys: Keys, entry: RollEntry) -> str:
    """The member's code, XXXXX-XXXXXX-XXXXX-XXXXXX; the same for all elections of the meeting."""
    return derive_code(keys.registrar, entry.meeting_id, entry.handle)


def voting_link(session: Session, config: Config, keys: Keys, entry: RollEntry, expires: datetime) -> Link:
    """The member's link with everything secret after `#`, and the code for typing. Making it changes nothing.

    Raises: PreconditionError: the entry cannot vote, or its link was withdrawn.
    """
    if entry.reason or entry.withdrawn:
        raise PreconditionError(phrase("This line of the roll cannot vote, so there is no link to send."))
    meeting = session.get_one(Meeting, entry.meeting_id)
    token = make_voting_token(keys, entry, expires)
    code = None if meeting.split_trust else voting_code(keys, entry)
    return Link(f"{config.public_url}/vote#{token}" + (f".{code}" if code else ""), code)


# --- public credentials -----------------------------------------------------------------------------------------


def derived_credentials(keys: Keys, election_uuid: str, entries: Iterable[RollEntry]) -> dict[str, str]:
    """Handle → public credential of each entry in one election, from the service's registrar key."""
    return {entry.handle: str(public(election_uuid, voting_code(keys, entry))) for entry in entries}


def store_credentials(session: Session, election_uuid: str, credentials: dict[str, str]) -> None:
    """Who signs with what in this election, in place of an earlier list; in random order, so that rows tell nothing."""
    session.execute(delete(Electorate).where(col(Electorate.election_uuid) == election_uuid))
    rows = [
        {"election_uuid": election_uuid, "handle": handle, "credential": credential} for handle, credential in sorted(credentials.items())
    ]
    if rows:
        session.execute(insert(table(Electorate)), rows)


def public_credentials(session: Session, election_uuid: str) -> PublicCredentials:
    """The sorted list that the Setup event publishes."""
    found = session.exec(select(Electorate.credential).where(Electorate.election_uuid == election_uuid)).all()
    return PublicCredentials(tuple(sorted(found)))


def registrar_list(session: Session, config: Config, keys: Keys, meeting_id: str, expires: datetime) -> str:
    """The CSV that a split-trust registrar merges the codes into: handle, name, email, link (without a code).

    Raises: PreconditionError: the roll is not frozen, or the meeting is not split-trust.
    """
    _split_trust(session, meeting_id)
    frozen_roll(session, meeting_id)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["handle", "name", "email", "link"])
    for entry in roll.members(session, meeting_id):
        if not entry.withdrawn:
            link = voting_link(session, config, keys, entry, expires)
            writer.writerow([entry.handle, _defused(entry.name), _defused(entry.email), link.url])
    return out.getvalue()


def receive_credentials(session: Session, election_uuid: str, data: bytes, actor: Actor, now: datetime) -> int:
    """The registrar's list of this election is stored (CSV: handle, credential), and how many it has.

    Raises:
        NotAllowedError.
        MalformedError: not such a list, a point that is no credential, a line twice.
        PreconditionError: the election is locked, not split-trust, or the list is not exactly of the frozen roll's electorate.
    """
    require(actor, Move.ROLL)
    election = _draft(session, election_uuid)
    _split_trust(session, election.meeting_id)
    frozen_roll(session, election.meeting_id)
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise MalformedError(phrase("The list of credentials is not a CSV file in UTF-8.")) from error
    if not rows or [cell.strip() for cell in rows[0]] != ["handle", "credential"]:
        raise MalformedError(phrase("The list of credentials must begin with the headings handle,credential."))
    credentials: dict[str, str] = {}
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != 2 or row[0] in credentials:
            raise MalformedError(
                phrase("Row {number} of the list of credentials has not two values, or its handle appears twice.", number=number)
            )
        credentials[row[0]] = row[1]
    _ = PublicCredentials(tuple(credentials.values())).points  # every point checked, none twice
    wanted = {entry.handle for entry in electorate(session, election)}
    if credentials.keys() != wanted:
        missing, extra = len(wanted - credentials.keys()), len(credentials.keys() - wanted)
        raise PreconditionError(
            phrase(
                "The list of credentials is not this electorate's: {missing} members are missing, {extra} are not in it.",
                missing=missing,
                extra=extra,
            )
        )
    store_credentials(session, election_uuid, credentials)
    append(session, election.meeting_id, Act.CREDENTIALS_RECEIVED, actor, now, election=election_uuid, details={"number": len(credentials)})
    return len(credentials)


def electorate(session: Session, election: Election) -> list[RollEntry]:
    """The roll entries that may vote in an election: all, or those of its section."""
    return roll.members(session, election.meeting_id, str(election.config.get("electorate", "")))


def electorate_size(session: Session, election: Election) -> int:
    """How many that are, without reading them all where that can be helped."""
    return len(electorate(session, election)) if election.config.get("electorate") else roll.size(session, election.meeting_id)


def frozen_roll(session: Session, meeting_id: str) -> Roll:
    """The meeting's frozen roll. Raises: PreconditionError."""
    found = session.get(Roll, meeting_id)
    if found is None or found.frozen_at is None:
        raise PreconditionError(phrase("The list of members has to be frozen first."))
    return found


def _draft(session: Session, election_uuid: str) -> Election:
    election = session.get(Election, election_uuid, with_for_update=True)
    if election is None:
        raise NotFoundError(phrase("There is no such election."))
    if election.state is not ElectionState.DRAFT:
        raise PreconditionError(phrase("The election is locked, so its credentials stand."))
    return election


def _split_trust(session: Session, meeting_id: str) -> None:
    meeting = session.get(Meeting, meeting_id)
    if meeting is None:
        raise NotFoundError(phrase("There is no such meeting."))
    if not meeting.split_trust:
        raise PreconditionError(phrase("In this meeting the service makes the codes itself."))


def _defused(text: str) -> str:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


# --- help for one member ----------------------------------------------------------------------------------------


def votes_spent(session: Session, handle: str) -> int:
    """In how many elections of the meeting this member's vote is in the box."""
    return session.exec(
        select(func.count())
        .select_from(Electorate)
        .join(Cast, (col(Cast.election_uuid) == col(Electorate.election_uuid)) & (col(Cast.credential) == col(Electorate.credential)))
        .where(Electorate.handle == handle, Cast.ordinal == 0)
    ).one()


def new_link_wording(cause: str, email: str | None) -> str:
    """What the two people agree to when a member gets a new link: why, and the corrected address if there is one."""
    return "\n".join([str(cause), *([email.strip()] if email else [])])


def reissue(
    session: Session, handle: str, *, cause: Cause, email: str | None, actor: Actor, approval: str | None, now: datetime
) -> RollEntry:
    """The member's older links are dead from this commit on, and a new one can be sent, to a corrected address if given.

    From then on this member's code alone opens nothing (`typed_code` is off): the old mail, with the same code, may be in the
    wrong hands, and the code cannot change after the lock. Never after a vote is spent.

    Raises:
        NotAllowedError.
        NotFoundError: no such member.
        MalformedError: the new address cannot be used.
        PreconditionError: a vote is spent, the link was withdrawn, or the address is another member's.
        ApprovalNeededError: a second person has to agree first.
    """
    require(actor, Move.HELP_MEMBER)
    entry = _unspent(session, handle)
    wording = new_link_wording(cause, email)
    second = approvals.use(session, entry.meeting_id, approvals.Need.REISSUE, handle, actor, approval, now, wording=wording)
    if email is not None:
        address = roll.clean_email(email)
        other = roll.find(session, entry.meeting_id, address)
        if other is not None and other.handle != handle:
            raise PreconditionError(phrase("Another member of this roll has that address."))
        entry.frozen_key = entry.frozen_key or entry.email_key
        entry.email, entry.email_key = address, roll.fold_email(address)
    entry.generation += 1
    entry.typed_code = False
    entry.card_link_by = entry.card_code_by = ""
    session.add(entry)
    act = Act.LINK_REISSUED if email is None else Act.ADDRESS_CORRECTED
    session.flush()
    details = {"cause": str(Cause(cause)), "number so far": reissues(session, entry.meeting_id)}
    append(session, entry.meeting_id, act, actor, now, second=second, details=details)
    return entry


def withdraw(session: Session, handle: str, *, cause: Cause, actor: Actor, approval: str | None, now: datetime) -> RollEntry:
    """No link of this member works any more. Never after a vote is spent.

    Raises: as `reissue`.
    """
    require(actor, Move.HELP_MEMBER)
    entry = _unspent(session, handle)
    second = approvals.use(session, entry.meeting_id, approvals.Need.WITHDRAW, handle, actor, approval, now)
    entry.generation += 1
    entry.withdrawn = True
    entry.card_link_by = entry.card_code_by = ""
    session.add(entry)
    append(session, entry.meeting_id, Act.LINK_WITHDRAWN, actor, now, second=second, details={"cause": str(Cause(cause))})
    return entry


MOST_CARDS: Final = 3  # of one member
CARDS_ANYWAY, CARDS_IN = 20, 20  # of one meeting: so many, or one member in so many, whichever is more


@dataclass(frozen=True)
class CardHalf:
    """One of the two sheets of a paper card: the link without a code, or the code without a link. Neither votes alone."""

    entry: RollEntry
    url: str = ""
    code: str = ""


def make_card(session: Session, handle: str, *, cause: Cause, actor: Actor, approval: str | None, now: datetime) -> RollEntry:
    """The member's older links are dead from this commit on, and a paper card can be printed in two halves by two officers.

    Who asked for it prints the link, who agreed prints the code, each once. A link without its code signs no ballot, and the code
    opens nothing without the newest link (`typed_code` is off), so that neither officer can vote in the member's place. In a
    split-trust meeting the registrar has the codes, and prints that half.

    Raises:
        NotAllowedError, NotFoundError.
        PreconditionError: a vote is spent, the link was withdrawn, or as many cards were made as are allowed.
        ApprovalNeededError: a second person has to agree first, in every meeting.
    """
    require(actor, Move.HELP_MEMBER)
    entry = _unspent(session, handle)
    made = cards(session, entry.meeting_id)
    members = session.get_one(Roll, entry.meeting_id).included
    if entry.cards >= MOST_CARDS or made >= max(CARDS_ANYWAY, members // CARDS_IN):
        limits = phrase(
            "No more cards can be made: {one} for one member, and {all} in this meeting, are the most. Send a new link by e-mail instead.",
            one=MOST_CARDS,
            all=max(CARDS_ANYWAY, members // CARDS_IN),
        )
        raise PreconditionError(limits)
    agreement = approvals.find(session, entry.meeting_id, approvals.Need.CARD, handle, actor, approval, now)
    second = approvals.use(session, entry.meeting_id, approvals.Need.CARD, handle, actor, approval, now)
    if agreement is None or agreement.given_by is None:
        raise RuntimeError("a card was about to be made by one person alone")
    entry.generation += 1
    entry.typed_code = False
    entry.cards += 1
    entry.card_link_by = agreement.asked_by
    entry.card_code_by = "" if session.get_one(Meeting, entry.meeting_id).split_trust else agreement.given_by
    session.add(entry)
    details = {"cause": str(Cause(cause)), "number so far": made + 1}
    append(session, entry.meeting_id, Act.CARD_MADE, actor, now, second=second, details=details)
    return entry


def print_card(session: Session, config: Config, keys: Keys, handle: str, actor: Actor, now: datetime, expires: datetime) -> CardHalf:
    """This officer's half of the member's newest card, once.

    Raises:
        NotAllowedError, NotFoundError.
        PreconditionError: no half waits for this officer, or a vote is spent meanwhile.
    """
    require(actor, Move.HELP_MEMBER)
    entry = _unspent(session, handle)
    if actor.id == entry.card_link_by:
        entry.card_link_by, half = "", "link"
        sheet = CardHalf(entry, url=f"{config.public_url}/vote#{make_voting_token(keys, entry, expires)}")
    elif actor.id == entry.card_code_by:
        entry.card_code_by, half = "", "code"
        sheet = CardHalf(entry, code=voting_code(keys, entry))
    else:
        raise PreconditionError(phrase("No half of a card waits for you here. Each half is printed once, by the officer it belongs to."))
    session.add(entry)
    append(session, entry.meeting_id, Act.CARD_PRINTED, actor, now, details={"half": half})
    return sheet


def cards(session: Session, meeting_id: str) -> int:
    """How many paper cards this meeting has seen."""
    return int(session.exec(select(func.sum(RollEntry.cards)).where(RollEntry.meeting_id == meeting_id)).one() or 0)


def reissues(session: Session, meeting_id: str) -> int:
    """How many reissues and withdrawals this meeting has seen; a public counter."""
    total = session.exec(select(func.sum(RollEntry.generation)).where(RollEntry.meeting_id == meeting_id)).one()
    return int(total or 0)


def _unspent(session: Session, handle: str) -> RollEntry:
    entry = session.get(RollEntry, handle, with_for_update=True, populate_existing=True)
    if entry is None or entry.reason:
        raise NotFoundError(phrase("There is no such member on this roll."))
    if entry.withdrawn:
        raise PreconditionError(phrase("This member's link was withdrawn."))
    if votes_spent(session, handle):
        raise PreconditionError(phrase("This member has voted already, so the link stays as it is."))
    return entry
