"""Sessions as Canaille's database has them now, and the one token that is about to be revoked.

Loads never read a token. To revoke one (RFC 7009), leat has to send it, so it reads it at that moment, and nothing
stores or logs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from leat.sources.settings import remember_secret
from leat.sources.sso.canaille.database import open_database

_SESSIONS = """
SELECT t.id, t.subject_id, u.user_name, c.client_id, c.client_name, t.issue_date, t.lifetime, t.revokation_date
FROM token AS t
JOIN client AS c ON c.id = t.client_id
JOIN "user" AS u ON u.id = t.subject_id
WHERE {condition} = :value ORDER BY t.issue_date, t.id
"""
_OF_SESSION = "SELECT access_token FROM token WHERE id = :value"
_CONSENTS = """
SELECT c.client_name FROM consent AS s JOIN client AS c ON c.id = s.client_id
WHERE s.subject_id = :value AND s.revokation_date IS NULL ORDER BY c.client_name
"""


@dataclass(frozen=True, slots=True)
class Session:
    """A session of an account in an application.

    Attributes:
        id: its identity; no part of the token.
        user_id: the account.
        login: the login of the account.
        client_id: the name by which the application signs in.
        application: the name of the application.
        started_at: when it began, UTC; None when that isn't stored.
        expires_at: when it expires, UTC; None for never.
        revoked_at: when it was ended earlier, UTC; None when it wasn't.
    """

    id: str
    user_id: str
    login: str
    client_id: str
    application: str
    started_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None

    def is_open(self) -> bool:
        """Return whether it goes on."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class TokenTable:
    """Canaille's tables of tokens and consents.

    Attributes:
        integration: name of the declaration, for errors.
        url: of the database; it may hold a password.
    """

    integration: str
    url: str

    def session(self, key: str) -> Session | None:
        """Return a session; None when there is none."""
        return next(iter(self._sessions("t.id", key)), None)

    def sessions_of(self, user: str) -> list[Session]:
        """Return the open sessions of an account, the oldest first."""
        return [each for each in self._sessions("t.subject_id", user) if each.is_open()]

    def consents_of(self, user: str) -> list[str]:
        """Return the names of the applications that an account has consented to and not withdrawn it."""
        return [str(row["client_name"]) for row in self._rows(_CONSENTS, user)]

    def token(self, key: str) -> str | None:
        """Return the token of a session; None when there is none."""
        row = next(iter(self._rows(_OF_SESSION, key)), None)
        return None if row is None else remember_secret(str(row["access_token"]))

    def _sessions(self, condition: str, value: str) -> list[Session]:
        return [_session(row) for row in self._rows(_SESSIONS.format(condition=condition), value)]

    def _rows(self, sql: str, value: str) -> list[dict[str, Any]]:
        import sqlalchemy as sa

        times = dict.fromkeys(("issue_date", "revokation_date"), sa.DateTime())
        query = sa.text(sql).columns(**times) if "issue_date" in sql else sa.text(sql)
        with open_database(self.integration, self.url) as connection:
            return [dict(row) for row in connection.execute(query, {"value": value}).mappings()]


def _session(row: dict[str, Any]) -> Session:
    started, lifetime = _utc(row["issue_date"]), row["lifetime"]
    expires = None if started is None or lifetime is None else started + timedelta(seconds=lifetime)
    return Session(
        id=str(row["id"]),
        user_id=str(row["subject_id"]),
        login=str(row["user_name"]),
        client_id=str(row["client_id"]),
        application=str(row["client_name"] or row["client_id"]),
        started_at=started,
        expires_at=expires,
        revoked_at=_utc(row["revokation_date"]),
    )


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)
