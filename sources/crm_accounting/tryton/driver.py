"""Driver for Tryton 8.2 (https://www.tryton.org), by its REST API with the key of a user application.

The key's user needs the right to read, no other; for ``activities``, which are Tryton's notes, it has to be an
administrator. Which streams are filled depends on the modules of the server: party, sale_opportunity, sale, product,
account, account_invoice. A run with nothing new makes one or two small requests for each of two dozen models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pydantic import Field

from leat.sources.batch import to_json
from leat.sources.crm_accounting.streams import STREAMS
from leat.sources.crm_accounting.tryton import change_marks as remembered
from leat.sources.crm_accounting.tryton.api import Tryton
from leat.sources.crm_accounting.tryton.books import ACCOUNTS, COMPANY, ENTRIES, TAXES
from leat.sources.crm_accounting.tryton.change_marks import ChangeMarks
from leat.sources.crm_accounting.tryton.changes import Care
from leat.sources.crm_accounting.tryton.invoicing import INVOICES
from leat.sources.crm_accounting.tryton.kinds import Kind
from leat.sources.crm_accounting.tryton.parties import PARTIES
from leat.sources.crm_accounting.tryton.reading import Reader
from leat.sources.crm_accounting.tryton.selling import DEALS, LEADS, NOTES, PRODUCTS
from leat.sources.driver import ConnectionModel, SetupTest, Sync
from leat.sources.errors import IntegrationError, NotFound
from leat.sources.events import Cursor, Event
from leat.sources.http.client import Client, Limits, open_client
from leat.sources.http.failures import Advice
from leat.sources.settings import Named, Secret, Setting, read_secret, read_setting
from leat.sources.setup_tests import try_sign_in
from leat.sources.sidecar import open_sidecar

if TYPE_CHECKING:
    import requests

FORMAT = 1
"""Raised when the cursor changes its meaning; an older one is then read as none."""
KINDS = (NOTES, DEALS, LEADS, INVOICES, ENTRIES, PRODUCTS, TAXES, ACCOUNTS, PARTIES, COMPANY)
"""What refers comes before what it refers to; see :mod:`leat.sources.crm_accounting.tryton.kinds`."""
ADVICE = Advice(
    unauthenticated="have a user application for REST validated in Tryton, and put its key into connection.key",
    forbidden="give the key's user the right to read this",
    not_found="write connection.url as https://host/<name of the database>/",
    rejected="give the key's user the right to read this; for ir.note make it an administrator or deselect activities",
    shape="check that connection.url is the address of a database of Tryton: https://host/<name of the database>/",
)


class Connection(ConnectionModel):
    """Where Tryton is, and the key to read it with."""

    url: Setting = Field(description="Address of the database: https://host/<name of the database>/.")
    key: Secret = Field(description="Key of a validated user application for REST.")
    action_key: Secret | None = Field(
        default=None, description="Key for actions, of a user who may write; by default key."
    )
    company: int | None = Field(
        default=None, ge=1, description="Id of the company whose prices are read; none for the first."
    )
    overlap: int = Field(
        default=600,
        ge=0,
        le=86400,
        description="Seconds before the last change that each run reads again; longer than the longest transaction.",
    )
    list_up_to: int = Field(
        default=500,
        ge=0,
        le=100_000,
        description="Each run lists models with at most this many records completely, which doesn't depend on clocks.",
    )
    timeout: float = Field(default=60, gt=0, le=600, description="Seconds to wait for a response.")


def setup_tests(connection: Connection, sync: Sync) -> Iterator[SetupTest]:
    """Try the connection step by step; stops at the first step that fails."""
    with _open(connection, sync) as client:
        ask = partial(_database, client, connection)
        answer = yield from try_sign_in(ask, f"{client.url} answers", "the server accepts the key")
        if answer is None:
            return
        tryton = answer.value
        yield SetupTest("has a company", tryton is not None, str(answer.failure or "its prices are read"))
        if tryton is None:
            return
        for kind in _wanted(tryton, sync):
            try:
                tryton.page(kind.model, ["id"], [["id", "=", 1]])
            except IntegrationError as error:
                yield SetupTest("may read all models", False, str(error))
                return
        without = sorted({kind.model for kind in KINDS} - tryton.models)
        detail = f"not installed: {', '.join(without)}" if without else "all modules are installed"
        yield SetupTest("may read all models", True, detail)


def since_streams(_connection: Connection) -> frozenset[str]:
    """Return the streams that can be asked for what has changed from a date on: all."""
    return frozenset(stream.name for stream in STREAMS)


def extract(connection: Connection, sync: Sync) -> Iterator[Event]:
    """Yield what changed since ``sync.cursor``.

    Raises:
        IntegrationError: the server can't be read; the cursor then stays where it was.
    """
    with _open(connection, sync) as client:
        tryton = _database(client, connection)
        if sync.since is not None:
            reader = Reader(tryton, sync, Care(connection.overlap, connection.list_up_to))
            for kind in _wanted(tryton, sync):
                yield from reader.read_since(kind, sync.since)
            return
        state = {"for": _fingerprint(client, connection), "format": FORMAT, "streams": sorted(sync.streams)}
        cursor = sync.cursor or {}
        sidecar = open_sidecar(sync.folder / "change_marks", [cursor.get("known")])
        before = remembered.load(sidecar, cursor.get("known"))
        if not _fits(cursor, state):
            before = {}
        reader = Reader(tryton, sync, Care(connection.overlap, connection.list_up_to))
        after: dict[str, ChangeMarks] = {}
        for kind in _wanted(tryton, sync):
            for event in reader.read(kind, before.get(kind.model)):
                if isinstance(event, ChangeMarks):
                    after[kind.model] = event
                else:
                    yield event
        if reader.failures and not reader.read_kinds:
            raise reader.failures[0]  # that is the server's fault, and of no model
        if after != before or not _fits(cursor, state):
            yield Cursor({**state, "known": remembered.save(sidecar, after)})


def _fits(cursor: Mapping[str, Any], state: Mapping[str, Any]) -> bool:
    same = all(cursor.get(name) == state[name] for name in ("for", "format"))
    return same and set(state["streams"]) <= set(cursor.get("streams") or ())


def _open(connection: Connection, sync: Sync) -> AbstractContextManager[Client]:
    limits = Limits(timeout=connection.timeout, in_flight=4)
    return open_tryton(connection, sync, limits, connection.key, ADVICE)


def open_tryton(
    connection: Connection, sync: Sync, limits: Limits, named: Named, advice: Advice
) -> AbstractContextManager[Client]:
    """Open the declared database, with one of its keys.

    Raises:
        NotConfigured: the key isn't set, or the address is none.
    """
    url = read_setting(connection.url, sync.integration, sync.project).rstrip("/") + "/"
    key = read_secret(named, sync.integration, sync.project)

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {key}"
        return request

    return open_client(sync, url, sign, limits=limits, advice=advice)


def _database(client: Client, connection: Connection) -> Tryton:
    """Return the database, with the models that it has, and the company whose prices are read as context.

    Raises:
        NotFound: there is no such company.
    """
    tryton = Tryton(client, {"active_test": False})
    wanted = {kind.model for kind in KINDS} | {part.model for kind in KINDS for part in kind.parts}
    wanted |= {model for kind in KINDS for model in kind.lookups}
    models = frozenset(r["name"] for r in tryton.listing("ir.model", ["name"], [["name", "in", sorted(wanted)]]))
    domain = [] if connection.company is None else [["id", "=", connection.company]]
    companies = tryton.page("company.company", ["id"], domain)
    if not companies:
        raise NotFound(
            client.integration,
            "looking for the company",
            "none that this key's user may see",
            "give the user a company in Tryton, or correct connection.company",
        )
    return replace(tryton, models=models, context={**tryton.context, "company": companies[0]["id"]})


def _wanted(tryton: Tryton, sync: Sync) -> list[Kind]:
    return [kind for kind in KINDS if tryton.has(kind.model) and sync.streams & kind.streams.keys()]


def _fingerprint(client: Client, connection: Connection) -> str:
    return sha256(to_json([client.url, connection.company]).encode()).hexdigest()[:16]
