"""Reading forms: fields that keep what was typed, errors that stand by their field, and a summary on top.

A form is a class with WTForms fields; `Page` below adds the hidden token. Templates draw it with the macros of `form.html`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Self
from zoneinfo import ZoneInfo

from flask_wtf import FlaskForm
from wtforms import DateField, Field, StringField, TextAreaField, TimeField, ValidationError
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, Optional

from ballot.language import N_, Text, phrase

UK = ZoneInfo("Europe/London")


class _Theirs:
    """What WTForms says by itself; the one sentence of it that our pages show is marked here."""

    shown = N_("Not a valid choice.")

    def gettext(self, text: str) -> Text:
        return Text(text)

    def ngettext(self, one: str, many: str, number: int) -> Text:
        return Text(one if number == 1 else many)


class Form(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A form that came by POST from our own page. The token was checked before the view ran."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]  # as above
        csrf = False  # access.check_request has checked it; the template writes the token with `token()`

        def get_translations(self, _form: FlaskForm) -> _Theirs:
            return _Theirs()

    def problems(self) -> list[tuple[str, str]]:
        """Field name and sentence of each error, in the order of the page."""
        return [(field.id, str(error)) for field in self for error in field.errors]

    def put_error(self, name: str, sentence: str) -> None:
        """Say by the field what a service refused."""
        field = self[name]
        field.errors = [*field.errors, sentence]


class _Whole(Text):
    __slots__ = ()

    def __mod__(self, limits: object) -> Self:
        return self


def whole(message: Text) -> Text:
    """A validator's message that stays a text: WTForms formats each with `%`, and there is nothing to fill in."""
    return _Whole(message, message.source, message.values)


def plain_line(_form: Form, field: Field) -> None:
    """One line of visible text: no line breaks (they would be a header of a mail), no invisible characters."""
    if any(not c.isprintable() for c in field.data or ""):
        raise ValidationError(phrase("Use letters, figures and ordinary signs only, on one line."))


def _stripped(text: str | None) -> str:
    return (text or "").strip()


def line(label: str, *, hint: str = "", missing: str, longest: int = 200, optional: bool = False, **more: Any) -> Field:
    """A field for one line of text. `missing` is what to read where it was left empty."""
    required = [] if optional else [DataRequired(missing)]
    too_long = Length(max=longest, message=whole(phrase("Make it {longest} characters or fewer.", longest=longest)))
    return StringField(label, description=hint, filters=[_stripped], validators=[*required, plain_line, too_long], **more)


def text(label: str, *, hint: str = "", missing: str = "", longest: int = 5000) -> Field:
    """A field for several lines; empty is fine unless `missing` says what to read then."""
    required = [DataRequired(missing)] if missing else []
    too_long = Length(max=longest, message=whole(phrase("Make it {longest} characters or fewer.", longest=longest)))
    return TextAreaField(label, description=hint, filters=[_stripped], validators=[*required, too_long])


class _Day(DateField):  # type: ignore[misc]  # WTForms has no types
    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError as error:
            raise ValueError(phrase("That is not a date. Write it as 2026-03-20.")) from error


def day(label: str, *, missing: str = "", hint: str = "") -> Field:
    """A field for a calendar day; it may stay empty unless `missing` says what to read then."""
    return _Day(label, description=hint, validators=[InputRequired(missing) if missing else Optional()])


class _Time(TimeField):  # type: ignore[misc]  # WTForms has no types
    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError as error:
            raise ValueError(phrase("That is not a time. Write it as 17:00.")) from error


def clock_time(label: str, *, missing: str = "") -> Field:
    """A field for a time of the day; it may stay empty unless `missing` says what to read then."""
    return _Time(label, validators=[InputRequired(missing) if missing else Optional()])


def moment_of(form: Form, on: str, at: str) -> datetime | None:
    """The moment in UTC that two valid fields name in UK time, or None with the error in place."""
    try:
        return from_uk(form[on].data.isoformat(), form[at].data.strftime("%H:%M"))
    except ValueError as error:
        form.put_error(at, phrase("Choose another time: {error}.", error=str(error)))
        return None


def options(pairs: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    """Value and words of each option of a list or a set of radio buttons."""
    return [SelectChoice(value, words) for value, words in pairs]


def lines_of(text_field: str) -> list[str]:
    """The lines that hold something, without blanks around them."""
    return [stripped for raw in text_field.splitlines() if (stripped := raw.strip())]


def from_uk(date: str, time: str) -> datetime:
    """A moment in UTC from the two inputs of a form, which are in UK time.

    Raises:
        ValueError: not a date, not a time, or a time that the clocks skip in March.
    """
    local = datetime.strptime(f"{date} {time}", "%Y-%m-%d %H:%M").replace(tzinfo=UK)
    moment = local.astimezone(UTC)
    if moment.astimezone(UK).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise ValueError(phrase("the clocks go forward over this time"))
    return moment
