"""Sends the sealed audit log to another system as OCSF, by HTTP: each event at least once, in the order of the chain.

The control store remembers the last event that the system has accepted, so what couldn't be sent is sent later.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leat.control.audit_tables import AuditSent
from leat.control.engine import writing
from leat.control.keys.locks import alone
from leat.pipelines.declare.keys import is_over_tls
from leat.security.audit.ocsf import ocsf_events
from leat.sources.egress import check_url
from leat.sources.errors import NotConfigured, Unavailable
from leat.tls import limit_versions

_NAME = "audit"
_BATCH = 500
_TIMEOUT = (3, 10)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the log is sent.

    Attributes:
        url: takes lines of JSON by POST.
        authorization: returns the value of that header; None where there is none.
    """

    url: str
    authorization: Callable[[], str] | None = None

    @property
    def id(self) -> str:
        """What the control store calls it."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:32]


def send_sealed(engine: Engine, destination: Destination) -> int:
    """Send what is sealed and wasn't sent yet; return how many events.

    Raises:
        NotConfigured: the host isn't permitted, or what names the authorization isn't there.
        Unavailable: the system didn't answer, or didn't accept the events.
        Busy: another process sends.
    """
    with alone(engine, "audit-sending", 0):
        sent = 0
        while batch := _send_batch(engine, destination):
            sent += batch
        return sent


def sent_until(engine: Engine, destination: Destination) -> int:
    """Return the number of the last event that was accepted; 0 if none was."""
    with Session(engine) as session:
        row = session.get(AuditSent, destination.id)
        return 0 if row is None else row.seq


def _send_batch(engine: Engine, destination: Destination) -> int:
    events = list(itertools.islice(ocsf_events(engine, sent_until(engine, destination)), _BATCH))
    if not events:
        return 0
    _post(destination, "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events).encode())
    with writing(engine) as session:
        row = session.get(AuditSent, destination.id) or AuditSent(destination=destination.id)
        row.seq, row.sent_at = events[-1]["metadata"]["sequence"], datetime.now(UTC)
        session.add(row)
    return len(events)


def _post(destination: Destination, lines: bytes) -> None:
    import requests

    if not is_over_tls(destination.url):
        asked, got = f"sending the audit log to {destination.url}", "it isn't https://, and events name people"
        raise NotConfigured(_NAME, asked, got, "use an address with TLS")
    check_url(_NAME, destination.url)
    headers = {"Content-Type": "application/x-ndjson"}
    if destination.authorization is not None:
        headers["Authorization"] = destination.authorization()
    try:
        with requests.Session() as session:
            limit_versions(session)
            session.trust_env = False
            answer = session.post(destination.url, lines, headers=headers, timeout=_TIMEOUT, allow_redirects=False)
    except requests.RequestException as error:
        raise _refused(destination, f"no answer: {type(error).__name__}") from error
    if not 200 <= answer.status_code < 300:
        raise _refused(destination, f"HTTP {answer.status_code}")


def _refused(destination: Destination, got: str) -> Unavailable:
    asked = f"sending the audit log to {destination.url}"
    return Unavailable(_NAME, asked, got, "check audit in policies/; what is missing is sent with the next run")
