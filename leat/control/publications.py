"""Publications in the control store: those that checks withheld, and those that somebody forced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session, aliased

from leat.control.audit_events import note
from leat.control.engine import writing
from leat.control.runs import newest_run
from leat.control.store import user_name
from leat.control.tables import Integration, PublicationLog, Run
from leat.warehouse.clock import SKEW

PublicationEvent = Literal["publish_withheld", "publish_forced", "publish_resumed", "publish_clean"]


@dataclass(frozen=True, slots=True)
class Publication:
    """One event: what, when, by whom, and its data."""

    event: str
    at: datetime
    by: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Publications:
    """What holds now.

    Attributes:
        withheld: why the newest version is withheld; None when it isn't. Its data has ``reasons`` and ``since``.
        forced: what somebody forced and hasn't been fixed since; the data has ``reasons`` and ``reason``, what they
            said.
    """

    withheld: Publication | None = None
    forced: tuple[Publication, ...] = ()


def log_publication(engine: Engine, event: PublicationEvent, data: Mapping[str, Any]) -> Publication:
    """Add an event, whose data JSON must be able to hold; the user of the process has caused it."""
    publication = Publication(event, datetime.now(UTC), user_name(), dict(data))
    with writing(engine) as session:
        row = PublicationLog(
            event_type=event, event_data=publication.data, created_at=publication.at, created_by=publication.by
        )
        session.add(row)
        checks = [f"{each['subject']}: {each['check']}" for each in publication.data.get("reasons", ())]
        note(session, event.replace("_", ".", 1), {"checks": checks}, now=publication.at)
    return publication


def current_publications(engine: Engine) -> Publications:
    """Return what is withheld, and what was forced and hasn't been fixed."""
    with Session(engine) as session:
        last = session.scalar(select(func.max(PublicationLog.id)).filter_by(event_type="publish_clean"))
        wanted = select(PublicationLog).order_by(PublicationLog.id).where(PublicationLog.id > (last or 0))
        events = [
            Publication(row.event_type, row.created_at, row.created_by, row.event_data)
            for row in session.scalars(wanted)
        ]
    forced = tuple(each for each in events if each.event == "publish_forced")
    withheld = events[-1] if events and events[-1].event == "publish_withheld" else None
    return Publications(withheld, forced)


def blocked_since(engine: Engine) -> dict[str, datetime]:
    """Return since when checks have blocked every load of an integration, by its name."""
    good = aliased(Run)
    last = newest_run(Run.status.in_(("loaded", "nothing_new")), Run.started_at <= datetime.now(UTC) + SKEW)
    blocked = (
        select(Integration.name, func.min(Run.started_at))
        .join(Run, Run.integration_id == Integration.id)
        .outerjoin(good, good.id == last)
        .where(Run.status == "blocked", (good.id.is_(None)) | (Run.started_at > good.started_at))
        .group_by(Integration.name)
    )
    with Session(engine) as session:
        rows = session.execute(blocked)
        return {name: at if at.tzinfo else at.replace(tzinfo=UTC) for name, at in rows}
