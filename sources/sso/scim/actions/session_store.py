"""The sessions that leat can see and end: those in Canaille's database, as the applications that they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from leat.sources.actions import Refused
from leat.sources.driver import Sync
from leat.sources.errors import NotConfigured
from leat.sources.http.client import Advice, HttpRequest, Limits, open_client
from leat.sources.http.signers import InHeader
from leat.sources.settings import read_secret, read_setting
from leat.sources.sso.canaille.tokens import Session, TokenTable
from leat.sources.sso.revocation import Revocation
from leat.sources.sso.scim.driver import Connection

_ADVICE = Advice(
    unauthenticated="correct client_id and client_secret of the application in connection.revocation",
    forbidden="let the application revoke its own tokens",
    not_found="correct connection.revocation.url; the provider's OpenID configuration has it as revocation_endpoint",
    rejected="give the credentials of the application that the token was issued to, in connection.revocation",
)


@dataclass(frozen=True, slots=True)
class SessionStore:
    """Sessions, and how to end them.

    Attributes:
        sync: names the integration, and takes the record of calls.
        table: the sessions as they are.
        revocation: with whose credentials which are ended; None for none.
        limits: of one request.
    """

    sync: Sync
    table: TokenTable
    revocation: Revocation | None
    limits: Limits

    def refuse_foreign(self, sessions: list[Session]) -> None:
        """Make sure that leat may end sessions.

        Raises:
            Refused: it has no credentials of one of their applications.
        """
        declared = {each.client_id for each in self.revocation.applications} if self.revocation else set()
        missing = {each.client_id: each.application for each in sessions if each.client_id not in declared}
        if missing:
            names = ", ".join(f"{name} (client_id {key})" for key, name in sorted(missing.items()))
            msg = (
                f"only the application that a session belongs to can end it: declare the credentials of {names} "
                "under connection.revocation"
            )
            raise Refused(msg)

    def end(self, key: str, client_id: str) -> None:
        """Revoke the token of a session, once; nothing is sent for one that has ended.

        Raises:
            IntegrationError: it failed.
        """
        session = self.table.session(key)
        if session is None or not session.is_open():
            return
        token = self.table.token(key)
        if token is None:
            return
        name, folder = self.sync.integration, self.sync.project
        applications = self.revocation.applications if self.revocation else ()
        declared = next((each for each in applications if each.client_id == client_id), None)
        if self.revocation is None or declared is None:
            got, next_step = "the application isn't declared any more", "declare it in connection.revocation"
            raise NotConfigured(name, f"ending a session of {client_id}", got, next_step)
        url = read_setting(self.revocation.url, name, folder)
        signer = InHeader.basic(client_id, read_secret(declared.client_secret, name, folder))
        ask = HttpRequest(
            urlsplit(url).path or "/",
            "POST",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode({"token": token, "token_type_hint": "access_token"}),
            repeatable=False,
        )
        with open_client(self.sync, url, signer, limits=self.limits, advice=_ADVICE) as client:
            client.send(ask)


def open_sessions(connection: Connection, sync: Sync, limits: Limits) -> SessionStore | None:
    """Return the sessions that a declaration names; None when it names none.

    Raises:
        NotConfigured: a secret isn't there.
    """
    if connection.canaille_database is None:
        return None
    url = read_secret(connection.canaille_database, sync.integration, sync.project)
    return SessionStore(sync, TokenTable(sync.integration, url), connection.revocation, limits)
