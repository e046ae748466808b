"""The directory that is acted on: finds accounts and groups, and makes one request that changes one of them.

A request carries ``If-Match`` where the server has versions (RFC 7644, 3.14). The first attempt is for the version that
was read a moment ago, after leat has compared what the action is about with the plan: so several actions on one group
can be approved together. A later attempt, which may come after an answer that was lost, is for the version that the
attempt before was for: whatever somebody changed meanwhile stays.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn
from urllib.parse import quote

from leat.sources.actions import Order, Refused
from leat.sources.driver import Sync
from leat.sources.errors import Outdated, Rejected, UnexpectedShape
from leat.sources.http.address import moves
from leat.sources.http.client import HttpRequest, Limits
from leat.sources.settings import read_setting
from leat.sources.sso.scim.access import ADVICE, Access, open_access
from leat.sources.sso.scim.actions.resources import Resource, id_of, version_of
from leat.sources.sso.scim.actions.session_store import SessionStore, open_sessions
from leat.sources.sso.scim.actions.tried_versions import TriedVersions
from leat.sources.sso.scim.attributes import attribute
from leat.sources.sso.scim.driver import Connection
from leat.sources.sso.scim.membership import Role
from leat.sources.sso.scim.paging import list_resources

_WITHIN = 15.0
"""Seconds that one request may take."""
_PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_ADVICE = replace(
    ADVICE,
    forbidden="give the client of connection.action_auth the right to read and to change users and groups by SCIM",
    rejected="look at the provider's own log, and plan it again",
)


@dataclass(frozen=True, slots=True)
class Directory:
    """A SCIM service, and the sessions of its provider.

    Attributes:
        access: the service.
        roles: which groups are roles.
        sessions: the sessions that leat can see; None without them.
        tried: the versions for which earlier attempts were made.
    """

    access: Access
    roles: Sequence[Role]
    sessions: SessionStore | None
    tried: TriedVersions

    def user(self, named: str) -> Resource:
        """Return the account with an id or a login.

        Raises:
            Refused: there is none.
        """
        return self._named("Users", named, "userName", f"there is no account with the id or login {named}")

    def group(self, named: str) -> Resource:
        """Return the group with an id or a name.

        Raises:
            Refused: there is none, or there are several.
        """
        return self._named("Groups", named, "displayName", f"there is no group with the id or name {named}")

    def listed(self, kind: str) -> Iterator[Resource]:
        """Yield all ``Users`` or ``Groups``."""
        yield from list_resources(self.access, kind)

    def _named(self, kind: str, named: str, name: str, missing: str) -> Resource:
        path = quote(named, safe="")
        if "/" not in named and not moves(path):
            ask = HttpRequest(
                f"{kind}/{path}", accept=frozenset({400, 404}), template=f"{kind}/{{id}}", exact=True, private=True
            )
            answer = self.access.client.send(ask)
            if answer.status not in ask.accept:
                there = self._object(answer.asked, self.access.client.json(answer))
                if attribute(there, "id") == named or _is_called(there, name, named):
                    return there
        matching = [each for each in self._candidates(kind, name, named) if _is_called(each, name, named)]
        if not matching:
            raise Refused(missing)
        if len(matching) > 1:
            ids = ", ".join(sorted(str(attribute(each, "id")) for each in matching))
            msg = f"several have the name {named}: name one by its id ({ids})"
            raise Refused(msg)
        return self.read(kind, id_of(matching[0]))

    def _candidates(self, kind: str, name: str, named: str) -> list[Any]:
        """Return at least all that have a name; a server may ignore a filter or refuse it."""
        with contextlib.suppress(Rejected, UnexpectedShape):
            answered = list(list_resources(self.access, kind, f"{name} eq {json.dumps(named)}"))
            if any(_is_called(each, name, named) for each in answered):
                return answered
        return list(self.listed(kind))

    def read(self, kind: str, key: str) -> Resource:
        """Return a user or a group as it is now.

        Raises:
            NotFound: it isn't there any more.
            UnexpectedShape: the server has another one there: Canaille looks for a login before it looks for an id.
        """
        path = f"{kind}/{quote(key, safe='')}"
        resource = self.access.read(path, template=f"{kind}/{{id}}")
        if attribute(resource, "id") != key:
            got = "another one, which has this id as its name"
            raise UnexpectedShape(self.access.client.integration, f"GET {path}", got, "rename that one")
        return resource

    def patch(self, kind: str, key: str, change: Mapping[str, Any], version: str | None) -> Resource:
        """Send one operation of a PATCH (RFC 7644, 3.5.2), once; returns what is there then."""
        return self._change("PATCH", kind, key, {"schemas": [_PATCH], "Operations": [change]}, version)

    def put(self, kind: str, key: str, resource: Resource, version: str | None) -> Resource:
        """Replace a user or group (RFC 7644, 3.5.1), once; returns what is there then."""
        return self._change("PUT", kind, key, resource, version)

    def _change(self, method: str, kind: str, key: str, body: Resource, version: str | None) -> Resource:
        headers = {"Content-Type": "application/scim+json"} | ({"If-Match": version} if version else {})
        ask = HttpRequest(
            f"{kind}/{quote(key, safe='')}",
            method,
            headers=headers,
            body=json.dumps(body),
            template=f"{kind}/{{id}}",
            exact=True,
            repeatable=False,
        )
        answer = self.access.client.send(ask)
        return self._object(answer.asked, self.access.client.json(answer)) if answer.body else {}

    def _object(self, asked: str, value: Any) -> Resource:
        if not isinstance(value, dict):
            got = f"JSON that is no object but {type(value).__name__}"
            raise UnexpectedShape(self.access.client.integration, asked, got, ADVICE.shape)
        return value

    def condition(self, order: Order, resource: Resource, planned: str | None, what: str) -> str | None:
        """Return the version to make a request for, and note it; None where the server has none.

        Raises:
            Outdated: an attempt was made, and it isn't the version of that one any more.
        """
        now, key = version_of(resource), id_of(resource)
        if now is None:
            return None
        if self.tried.read(order.id, key) not in (None, now):
            self.outdated(what, "it was changed after the first attempt")
        self.tried.note(order.id, key, now)
        return now

    def note_first(self, order: Order, resource: Resource) -> None:
        """Note the version of something that an action reads for the first time."""
        now, key = version_of(resource), id_of(resource)
        if now is not None and self.tried.read(order.id, key) is None:
            self.tried.note(order.id, key, now)

    def outdated(self, what: str, got: str) -> NoReturn:
        """Raise that something isn't any more what was planned on."""
        raise Outdated(self.access.client.integration, what, got, "plan it again")


def _is_called(resource: Any, name: str, named: str) -> bool:
    value = attribute(resource, name.lower())
    if not isinstance(value, str):
        return False
    return value.lower() == named.lower() if name == "userName" else value == named


@contextlib.contextmanager
def connect(connection: Connection, sync: Sync) -> Iterator[Directory]:
    """Open a directory to act on it; as ``action_auth`` says, or ``auth`` where that isn't given."""
    url = read_setting(connection.url, sync.integration, sync.project)
    seconds = min(connection.timeout, _WITHIN)
    limits = Limits(timeout=seconds, total=seconds, attempts=1)
    paging = (connection.page_size, connection.ignore_total)
    auth = connection.action_auth or connection.auth
    with open_access(sync, url, auth, limits, *paging, _ADVICE) as access:
        tried = TriedVersions(sync.folder / "tried")
        tried.forget()
        yield Directory(access, connection.roles, open_sessions(connection, sync, limits), tried)
