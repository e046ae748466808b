"""Fills in a template: Jinja in a sandbox, strict about names that aren't there; HTML is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from leat.sources.email.templates.files import BadTemplate, Template
from leat.sources.email.templates.plain import plain_of
from leat.sources.money import as_text

LONGEST_SUBJECT = 500
_HREF = re.compile(r"""\b(?:href|src|action)\s*=\s*["']?\s*([a-z][a-z0-9+.\s-]*):""", re.IGNORECASE)
_SCHEMES = {"http", "https", "mailto", "tel", "cid"}


@dataclass(frozen=True, slots=True)
class Filled:
    """A mail's content."""

    subject: str
    html: str
    text: str


def fill(template: Template, data: Mapping[str, Any]) -> Filled:
    """Return the content of a mail.

    Raises:
        BadTemplate: a name isn't in the data, an expression fails, or the result isn't allowed: a subject of several
            lines, a link that is no web address.
    """
    subject = _filled(template, "subject", template.header.subject, data, escaped=False).strip()
    if not subject or len(subject) > LONGEST_SUBJECT or any(not each.isprintable() for each in subject):
        msg = f"{template.path.name}: the subject has to be one line of at most {LONGEST_SUBJECT} characters"
        raise BadTemplate(msg)
    values = {**data, "subject": subject}
    html = _filled(template, "body", template.html, values, escaped=True)
    for scheme in _HREF.findall(html):
        if re.sub(r"\s", "", scheme).lower() not in _SCHEMES:
            msg = f"{template.path.name}: a link begins with {scheme}:, which no mail may have"
            raise BadTemplate(msg)
    if template.text is None:
        return Filled(subject, html, plain_of(html))
    return Filled(subject, html, _filled(template, "text", template.text, values, escaped=False).strip() + "\n")


def _filled(template: Template, part: str, source: str, data: Mapping[str, Any], *, escaped: bool) -> str:
    where = template.path.with_suffix(".txt").name if part == "text" else template.path.name
    try:
        return _environment(escaped).from_string(source).render(dict(data))
    except TemplateSyntaxError as error:
        at = f" in line {error.lineno}" if part == "text" else ""
        msg = f"{where}: {part}{at}: {error.message}"
        raise BadTemplate(msg) from None
    except TemplateError as error:
        msg = f"{where}: {part}: {error.message}"
        raise BadTemplate(msg) from None
    except (TypeError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
        msg = f"{where}: {part}: an expression fails ({type(error).__name__})"
        raise BadTemplate(msg) from None


@lru_cache(maxsize=2)
def _environment(escaped: bool) -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        autoescape=escaped, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {"money": _money, "day": _day, "clock": _clock}
    return made


def _money(amount: Any, currency: str) -> str:
    """Return minor units as people read them: ``{{ 1200 | money("EUR") }}`` is 12.00 EUR."""
    return as_text(int(amount), currency)


def _moment(value: Any) -> date | datetime:
    return value if isinstance(value, date) else datetime.fromisoformat(str(value))


def _day(value: Any) -> str:
    """Return a day as people write it: 1 December 2026."""
    moment = _moment(value)
    return f"{moment.day} {moment:%B %Y}"


def _clock(value: Any) -> str:
    """Return a time of the day: 09:30."""
    return f"{_moment(value):%H:%M}"
