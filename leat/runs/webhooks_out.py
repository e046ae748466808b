"""Webhooks that leat sends: one pass reads what happened, writes the messages, and sends what is due."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.control.webhooks import EndpointState, Webhook
    from leat.hooks.out.declaration import Webhooks

log = logging.getLogger("leat.webhooks")


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """An endpoint: whether it is ``on``, ``off``, ``paused`` because it fails, or ``disabled`` because it is gone."""

    name: str
    state: str
    events: tuple[str, ...]
    failures: int
    paused_until: datetime | None


def is_declared(workspace: Workspace) -> bool:
    """Return whether the project has ``quality/webhooks.yaml``."""
    return (workspace.project.folder / "quality" / "webhooks.yaml").exists()


def declared_webhooks(workspace: Workspace) -> Webhooks | None:
    """Return what is declared; None when nothing is.

    Raises:
        DeclarationError: the file has mistakes.
    """
    from leat.hooks.out.declaration import load_webhooks

    return load_webhooks(workspace.project, workspace.declarations)


def send_webhooks(workspace: Workspace, now: datetime | None = None) -> int:
    """Write what happened since the last pass, and send what is due; returns how many messages were accepted.

    Raises:
        DeclarationError: ``quality/webhooks.yaml`` has mistakes.
    """
    webhooks = declared_webhooks(workspace) if is_declared(workspace) else None
    if webhooks is None:
        return 0
    from leat.control.webhooks import endpoint_states, forget_endpoints, open_endpoints

    now = now or datetime.now(UTC)
    forget_endpoints(workspace.store, webhooks.endpoints)
    on = {name for name, endpoint in webhooks.endpoints.items() if not endpoint.is_off}
    states = endpoint_states(workspace.store, on, now)
    live = {name: state for name, state in states.items() if state.disabled_at is None}
    _write(workspace, webhooks, live, now)
    waiting = sorted(open_endpoints(workspace.store) & live.keys())
    if not waiting:
        return 0
    with ThreadPoolExecutor(len(waiting), thread_name_prefix="leat-webhooks") as threads:
        return sum(threads.map(lambda name: _deliver(workspace, webhooks, live[name], now), waiting))


def _write(workspace: Workspace, webhooks: Webhooks, states: dict[str, EndpointState], now: datetime) -> None:
    """Write the messages about what happened. It is read under a lease, so that two processes don't write the same."""
    from leat.control.action_lease import Fenced, hold_lease
    from leat.control.webhooks import SCOPE, NewWebhook, add_webhooks, not_stored
    from leat.hooks.out.events import OVERLAP, body_of, events_since, wanted
    from leat.warehouse.session import Busy

    if not states:
        return
    events = events_since(
        workspace.store, workspace.warehouse, min(each.watermark for each in states.values()) - OVERLAP
    )
    for name, state in states.items():
        endpoint = webhooks.endpoints[name]
        new = [
            NewWebhook(_id(name, event.type, event.key), name, event.type, event.target, body_of(endpoint, event))
            for event in events
            if event.at >= max(state.watermark - OVERLAP, state.since) and wanted(endpoint, event)
        ]
        new = not_stored(workspace.store, new)
        latest = max([state.watermark, *(event.at for event in events if event.at <= now)])
        if new or latest - state.watermark >= OVERLAP:
            with contextlib.suppress(Busy, Fenced), hold_lease(workspace.store, SCOPE, 5) as lease:
                add_webhooks(workspace.store, lease, name, new, latest, now)


def _id(endpoint: str, type_: str, key: str) -> str:
    return "msg_" + hashlib.sha256(json.dumps([endpoint, type_, key]).encode()).hexdigest()[:32]


def _deliver(workspace: Workspace, webhooks: Webhooks, state: EndpointState, now: datetime) -> int:
    from leat.actions.deliver import deliver
    from leat.actions.office import Office
    from leat.control.action_lease import Fenced
    from leat.control.webhooks import note_health, scope_of, settle_webhooks
    from leat.hooks.out.deliver import Health, endpoint_actor
    from leat.warehouse.session import Busy

    health = Health(state)
    actor = endpoint_actor(state.name, webhooks.endpoints[state.name], workspace.project, health)
    own = {scope_of(state.name): actor}
    office = replace(Office(workspace.store, workspace.project, workspace.declarations), own=own)
    try:
        rows = deliver(office, scope_of(state.name)).actions
    except (Busy, Fenced):
        return 0
    if health.state != state:
        note_health(workspace.store, health.state)
    for row in rows:
        if row.state == "failed":
            log.warning("webhook to %s was given up: %s", state.name, row.reason)
    settle_webhooks(workspace.store, state.name, now)
    return sum(row.state in ("done", "confirmed") for row in rows)


def endpoint_list(workspace: Workspace, webhooks: Webhooks) -> list[EndpointStatus]:
    """Return the endpoints and how they are."""
    from leat.control.webhooks import endpoint_states

    now = datetime.now(UTC)
    on = {name for name, endpoint in webhooks.endpoints.items() if not endpoint.is_off}
    states = endpoint_states(workspace.store, on, now)
    result = []
    for name, endpoint in webhooks.endpoints.items():
        state = states.get(name)
        paused = state is not None and state.paused_until is not None and state.paused_until > now
        shown = "off" if state is None else "disabled" if state.disabled_at else "paused" if paused else "on"
        until = state.paused_until if state is not None and paused else None
        failures = state.failures if state is not None else 0
        result.append(EndpointStatus(name, shown, endpoint.events, failures, until))
    return result


def list_webhooks(workspace: Workspace, *, endpoint: str | None, failed: bool, limit: int | None) -> list[Webhook]:
    """Return messages, the newest first."""
    from leat.control.webhooks import webhooks

    return webhooks(workspace.store, endpoint=endpoint, failed=failed, limit=limit)


def replay_webhooks(workspace: Workspace, webhooks: Webhooks, ids: Collection[str]) -> list[str]:
    """Put messages that are over into the outbox again, to declared endpoints; return the ids of those."""
    from leat.control.webhooks import replay

    return replay(workspace.store, ids, webhooks.endpoints, datetime.now(UTC))


def matching_webhooks(workspace: Workspace, prefix: str) -> list[Webhook]:
    """Return the messages whose ids begin so, at most two."""
    from leat.control.webhooks import webhooks

    return webhooks(workspace.store, prefix=prefix, limit=2)


def enable_endpoint(workspace: Workspace, name: str) -> None:
    """Let an endpoint get messages again at once: it was disabled, or is paused."""
    from leat.control.webhooks import endpoint_states, note_health

    state = endpoint_states(workspace.store, {name}, datetime.now(UTC))[name]
    note_health(workspace.store, replace(state, failures=0, paused_until=None, disabled_at=None))


def try_endpoint(workspace: Workspace, webhooks: Webhooks, name: str) -> str | None:
    """Send a test message to an endpoint; returns None, or why it hasn't accepted it."""
    from leat.files import make_private
    from leat.hooks.out.deliver import post
    from leat.sources.driver import Sync
    from leat.sources.errors import IntegrationError
    from leat.sources.settings import redact

    now, folder = datetime.now(UTC), workspace.project.state / "sources" / "@webhooks.test"
    make_private(folder)
    sync = Sync(name, frozenset(), None, workspace.project.folder, folder, now)
    body = json.dumps({"type": "test", "timestamp": now.isoformat(), "data": {"endpoint": name}})
    try:
        post(name, webhooks.endpoints[name], workspace.project, sync, f"msg_test{now:%Y%m%d%H%M%S%f}", body)
    except IntegrationError as error:
        return redact(str(error)).removeprefix(f"{name}: ")
    return None
