"""What recipients do with the links of a mail: unsubscribe, follow a link, load the picture; for the server of links.

Much of it is done by machines: a provider loads pictures when a mail arrives, and scanners follow links before anybody
reads it. So each event is judged, and none is proof. No address of a person or of a machine is stored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leat.control.engine import writing
from leat.control.mail_tables import TrackingEvent
from leat.control.outbox import ActionRow, read_actions
from leat.control.suppressions import Suppression, suppress
from leat.sources.email.sending.tokens import Kind, Token, verified

Judgement = Literal["machine", "likely_human"]
SOON = timedelta(seconds=30)
"""What happens so soon after sending is done by a scanner or by a provider that loads pictures in advance."""
_TOGETHER = timedelta(seconds=1)
_MACHINE = re.compile(
    r"bot|crawl|spider|scan|proxy|preview|prefetch|monitor|check|barracuda|proofpoint|mimecast|safelinks|"
    r"curl|wget|python|java/|go-http|okhttp|libwww|headless",
    re.IGNORECASE,
)
_APPLE_PROXY = "Mozilla/5.0"
"""All that Apple's mail privacy protection says of itself."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a link.

    Attributes:
        at: when, UTC.
        method: that of the request.
        user_agent: what the program says of itself.
        is_prefetch: whether it says that it loads in advance (``Sec-Purpose``, ``Purpose``, ``X-Moz``).
    """

    at: datetime
    method: str = "GET"
    user_agent: str = ""
    is_prefetch: bool = False


def record_visit(store: Engine, key: str, text: str, visit: Visit) -> str | None:
    """Store that a link was followed or a picture loaded, and return the address to send the visitor to.

    Args:
        store: the control store.
        key: what links are signed with.
        text: the token in the link.
        visit: the request.

    Returns:
        the address of a followed link; None for a picture, and for a token that leat didn't write.
    """
    read = read_token(store, key, text, ("click", "open"))
    if read is None:
        return None
    token, action = read
    links = action.plan["payload"].get("links", ())
    if token.kind == "click" and token.number >= len(links):
        return None
    with writing(store) as session:
        judged, because = _judge(session, action, token, visit)
        session.add(
            TrackingEvent(
                action_id=action.id,
                kind=token.kind,
                link=token.number if token.kind == "click" else None,
                happened_at=visit.at,
                judged=judged,
                because=because,
            )
        )
    return str(links[token.number]) if token.kind == "click" else None


def unsubscribe(store: Engine, key: str, text: str, now: datetime) -> bool:
    """Let the recipient of a mail get no more bulk mail; return whether leat wrote the token.

    Only a POST may call this (RFC 8058): scanners follow every link of a mail by GET.
    """
    read = read_token(store, key, text, ("unsubscribe",))
    if read is None:
        return False
    action = read[1]
    recipients = action.plan["payload"].get("recipients", ())
    suppress(store, [Suppression(each, "opt_out", now, "leat", f"by link, of {action.id}") for each in recipients])
    return True


def read_token(store: Engine, key: str, text: str, kinds: tuple[Kind, ...]) -> tuple[Token, ActionRow] | None:
    """Return a token and the action that it names; None if leat didn't write it, or for something else."""
    token = verified(key, text)
    if token is None or token.kind not in kinds:
        return None
    rows = read_actions(store, ids=[token.action])
    return (token, rows[0]) if rows else None


def _judge(session: Session, action: ActionRow, token: Token, visit: Visit) -> tuple[Judgement, str]:
    if visit.method == "HEAD":
        return "machine", "it asks for the head only"
    if visit.is_prefetch:
        return "machine", "it loads in advance"
    if not visit.user_agent or visit.user_agent == _APPLE_PROXY or _MACHINE.search(visit.user_agent):
        return "machine", "its program is no browser or mail program"
    if action.ended_at is None or visit.at - action.ended_at < SOON:
        return "machine", f"within {SOON.seconds} seconds after sending"
    others = select(TrackingEvent).where(
        TrackingEvent.action_id == action.id,
        TrackingEvent.kind == "click",
        TrackingEvent.happened_at > visit.at - _TOGETHER,
        TrackingEvent.link != token.number,
    )
    if token.kind == "click" and session.scalars(others.limit(1)).first() is not None:
        return "machine", "several links at once"
    return "likely_human", "nothing says that it is a machine"
