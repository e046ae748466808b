"""The demo company's identity provider: its people, groups and applications, who signed in, and who still is.

Accounts are created by Canaille when it starts. What happened before that is in its log as it would have written it, in
a file that was rotated away; on the day itself people really sign in, by its pages.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from leat.demo.servers.canaille import LOG, Accounts, service_account
from leat.demo.servers.canaille_browser import Browser
from leat.demo.story import Story

READER = "leat"
"""The client that leat reads by."""
OFFICE = "office"
DASHBOARD = "leat-dashboard"
"""The client by which people sign in to leat."""
_BACK = "https://office.demo.example/back"
_LASTS = 30 * 24 * 3600
"""Seconds that a session of the office application lasts."""


def accounts_of(story: Story, password: str, of_people: str, dashboard: str) -> Accounts:
    """Return what Canaille has to know.

    Args:
        story: who works here.
        password: of the clients.
        of_people: of everybody's account.
        dashboard: address of leat's dashboard, without a slash at its end. Because it is on loopback, Canaille trusts
            it and asks nobody for consent.

    Who left is locked, but is still in the groups that the story puts them into, and may still have a session.
    """
    office = {
        "client_id": OFFICE,
        "client_secret": password,
        "client_name": "Office",
        "description": "Orders, customers and the books in one place",
        "client_uri": "https://office.demo.example",
        "contacts": ["dan.rossi@demo.example"],
        "redirect_uris": [_BACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "scope": ["openid", "profile"],
    }
    own = {
        "client_id": DASHBOARD,
        "client_secret": password,
        "client_name": "leat",
        "client_uri": dashboard,
        "redirect_uris": [f"{dashboard}/sign-in/finish"],
        "post_logout_redirect_uris": [f"{dashboard}/sign-in"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "scope": ["openid", "profile", "email", "groups"],
        "audience": [DASHBOARD],
    }
    people = [person for person in story.people if person.in_sso]
    groups = [
        {"display_name": group.name, "description": group.description, "members": list(group.members)}
        for group in story.groups
    ]
    stayed = [person for person in people if person.session_open and not person.is_active]
    sessions = [_session(person.login, story.at(person.logins[-1])) for person in stayed]
    return Accounts(
        clients=(service_account(READER, password), office, own),
        users=tuple(_user(story, person.login, of_people) for person in people),
        groups=tuple(groups),
        tokens=tuple(token for token, _ in sessions),
        consents=tuple(consent for _, consent in sessions),
    )


def _user(story: Story, login: str, password: str) -> dict[str, Any]:
    person = story.person(login)
    given, _, family = person.name.partition(" ")
    left = None if person.left_days_ago is None else story.at(person.left_days_ago).isoformat()
    return {
        "user_name": login,
        "formatted_name": person.name,
        "display_name": person.name,
        "given_name": given,
        "family_name": family,
        "emails": [person.email],
        "title": person.title,
        "department": person.department,
        "organization": "Demo Lamps",
        "password": password,
        "lock_date": left,
    }


def _session(login: str, began: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a token and the consent to it; the token's text is of no use to anybody."""
    common = {"client": OFFICE, "subject": login, "scope": ["openid", "profile"], "issue_date": began.isoformat()}
    token = {"token_id": f"session-{login}", "access_token": os.urandom(24).hex(), "type": "Bearer"}
    return {**common, **token, "lifetime": _LASTS}, {**common, "consent_id": f"consent-{login}"}


def seed_sso(url: str, folder: Path, story: Story, password: str, of_people: str) -> None:
    """Let people have signed in, and sign in; once.

    Args:
        url: address of Canaille, without a slash at its end.
        folder: the folder given to :func:`leat.demo.servers.canaille.start_canaille`.
        story: who did.
        password: of the clients.
        of_people: of everybody's account.
    """
    past = folder / f"{LOG}.1"
    if past.exists():
        return
    for person in story.people:
        if person.in_sso and person.is_active and person.session_open:
            browser = Browser(url)
            if not browser.sign_in(person.login, of_people):
                msg = f"{person.login} can't sign in"
                raise RuntimeError(msg)
            browser.use(OFFICE, password, _BACK)
        elif person.in_sso and person.failed_logins:
            Browser(url).sign_in(person.login, "forgotten")
    now = datetime.now(UTC)
    lines = sorted((at, line) for at, line in _past_lines(story) if at < now)  # the story's day begins at noon
    draft = folder / "past"
    draft.write_text("".join(line for _, line in lines), encoding="utf-8")
    os.utime(draft, (lines[-1][0].timestamp(),) * 2)
    draft.rename(past)


def _past_lines(story: Story) -> Iterator[tuple[datetime, str]]:
    """Yield time and line of what Canaille would have written before the company began."""
    for number, person in enumerate(story.people, 10):
        address = f"192.0.2.{number}"
        for days in person.logins:
            at = story.at(days)
            yield at, _line(at, address, f"Successful password authentication for {person.login}")
            later = at + timedelta(milliseconds=3)
            yield later, _line(later, address, f"Successful authentication for {person.login}")
        for count, days in enumerate(person.failed_logins):
            at = story.at(days) + timedelta(seconds=7 * count)
            yield at, _line(at, address, f"Failed password authentication for {person.login}")


def _line(at: datetime, address: str, message: str) -> str:
    return f"[{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03}] - {address} - SECURITY in logging: {message}\n"
