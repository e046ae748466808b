"""An open SCIM service, and what to do next about its failures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leat.sources.driver import Sync
from leat.sources.errors import UnexpectedShape
from leat.sources.http.auth import Auth, sign_in
from leat.sources.http.client import Client, open_client
from leat.sources.http.failures import Advice
from leat.sources.http.request import Answer, HttpRequest, Limits

ADVICE = Advice(
    unauthenticated="check auth in connection",
    forbidden="give the client the right to read users and groups by SCIM",
    not_found="set connection.url to the SCIM service, for example https://host/scim/v2",
    shape="set connection.url to the SCIM service, for example https://host/scim/v2",
)


@dataclass(frozen=True, slots=True)
class Access:
    """An open SCIM service; the client renews a token that runs out in the middle of a listing.

    Attributes:
        client: speaks to it.
        page_size: ``count`` to ask for; None to leave it to the server.
        ignore_total: whether ``totalResults`` has proven wrong.
    """

    client: Client
    page_size: int | None = None
    ignore_total: bool = False

    def ask(self, path: str, params: Mapping[str, Any] | None = None, template: str | None = None) -> Answer:
        """Return the answer to a GET.

        Raises:
            IntegrationError: the service refuses or fails.
        """
        return self.client.send(HttpRequest(path, params=params or {}, template=template, exact=template is not None))

    def read(self, path: str, params: Mapping[str, Any] | None = None, template: str | None = None) -> dict[str, Any]:
        """Return the JSON object that a GET answers.

        Raises:
            IntegrationError: the service refuses, fails or answers anything else.
        """
        answer = self.ask(path, params, template)
        value = self.client.json(answer)
        if not isinstance(value, dict):
            got = f"JSON that is no object but {type(value).__name__}"
            raise UnexpectedShape(self.client.integration, answer.asked, got, ADVICE.shape)
        return value


@contextlib.contextmanager
def open_access(
    sync: Sync,
    url: str,
    auth: Auth,
    limits: Limits,
    page_size: int | None,
    ignore_total: bool,
    advice: Advice = ADVICE,
) -> Iterator[Access]:
    """Open the service at a URL as the ``auth:`` block says; nothing is sent yet.

    Raises:
        NotConfigured: a setting or secret isn't there, or the URL can't be used.
    """
    accept = {"Accept": "application/scim+json, application/json"}
    with open_client(
        sync, f"{url.rstrip('/')}/", sign_in(auth, sync), headers=accept, limits=limits, advice=advice
    ) as client:
        yield Access(client, page_size, ignore_total)
