"""Webhooks that leat sends: one pass reads what happened, writes the messages, and sends what is due."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leat.control.webhook_lists import Outcome, Wanted, Webhook
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.control.webhook_attempts import Attempt
    from leat.control.webhooks import EndpointState
    from leat.hooks.out.declaration import Endpoint, Webhooks

__all__ = ["Outcome", "Wanted", "Webhook"]

log = logging.getLogger("leat.webhooks")


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """An endpoint: whether it is ``on``, ``off``, ``paused`` as it fails or by a person, or ``disabled`` as it is gone.

    ``why`` says why it isn't on. ``paused_until`` is None while a person has paused it. ``public_keys`` verify what it
    gets.
    """

    name: str
    state: str
    events: tuple[str, ...]
    failures: int
    paused_until: datetime | None
    why: str | None
    public_keys: Sequence[str] = ()


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
    sending = {name for name, state in live.items() if state.paused_by is None}
    waiting = sorted(open_endpoints(workspace.store) & sending)
    if not waiting:
        return 0
    with ThreadPoolExecutor(len(waiting), thread_name_prefix="leat-webhooks") as threads:
        return sum(threads.map(lambda name: _deliver(workspace, webhooks, live[name], now), waiting))


def _write(workspace: Workspace, webhooks: Webhooks, states: dict[str, EndpointState], now: datetime) -> None:
    """Write the messages about what happened. It is read under a lease, so that two processes don't write the same."""
    from leat.control.action_lease import hold_lease
    from leat.control.webhooks import SCOPE, NewWebhook, add_webhooks, not_stored
    from leat.hooks.out.events import OVERLAP, body_of, events_since, wanted
    from leat.warehouse.lease import Fenced
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
    from leat.control.webhooks import note_health, scope_of, settle_webhooks
    from leat.hooks.out.deliver import Health, endpoint_actor
    from leat.warehouse.lease import Fenced
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
    from leat.hooks.out.signing import public_keys

    now, folder = datetime.now(UTC), workspace.project.folder
    on = {name for name, endpoint in webhooks.endpoints.items() if not endpoint.is_off}
    states = endpoint_states(workspace.store, on, now)
    return [
        replace(_status(name, each, states.get(name), now), public_keys=public_keys(name, each, folder))
        for name, each in webhooks.endpoints.items()
    ]


def _status(name: str, endpoint: Endpoint, state: EndpointState | None, now: datetime) -> EndpointStatus:
    if state is None:
        return EndpointStatus(name, "off", endpoint.events, 0, None, f"{endpoint.url.name} isn't set")
    last = "the last attempt" if state.failures == 1 else f"the last {state.failures} attempts"
    failures = f"{last} failed: {state.error or 'no answer'}"
    until = state.paused_until if state.paused_until is not None and state.paused_until > now else None
    why: str | None
    if state.disabled_at is not None:
        shown, why, until = "disabled", state.error or "it answered that it is gone", None
    elif state.paused_by is not None:
        shown, why, until = "paused", f"paused by {state.paused_by}", None
    elif until is not None:
        shown, why = "paused", failures
    else:
        shown, why = "on", failures if state.failures else None
    return EndpointStatus(name, shown, endpoint.events, state.failures, until, why)


def list_webhooks(
    workspace: Workspace, wanted: Wanted, limit: int | None = 50, after: str | None = None
) -> list[Webhook]:
    """Return messages, the newest first.

    Raises:
        KeyError: there is no message ``after``.
    """
    from leat.control.webhook_messages import webhooks

    return webhooks(workspace.store, wanted, limit, after)


def count_webhooks(workspace: Workspace, wanted: Wanted) -> int:
    """Return how many messages there are."""
    from leat.control.webhook_messages import count_webhooks as count

    return count(workspace.store, wanted)


def read_webhook(workspace: Workspace, message_id: str) -> tuple[Webhook, str, list[Attempt]] | None:
    """Return a message, its body, and its attempts, the first one first; None if there is none."""
    from leat.control.webhook_messages import read_webhook as read

    return read(workspace.store, message_id)


def replay_webhooks(workspace: Workspace, webhooks: Webhooks, wanted: Wanted | str) -> list[str]:
    """Put messages that are over, or one, into the outbox again, to declared endpoints; return the ids of those."""
    from leat.control.webhook_messages import replay

    return replay(workspace.store, wanted, webhooks.endpoints, datetime.now(UTC))


def enable_endpoint(workspace: Workspace, name: str) -> None:
    """Let an endpoint get messages again at once: it was disabled, or is paused."""
    from leat.control.webhooks import enable, endpoint_states

    endpoint_states(workspace.store, {name}, datetime.now(UTC))
    enable(workspace.store, name)


def pause_endpoint(workspace: Workspace, name: str, by: str) -> None:
    """Send nothing to an endpoint until somebody enables it: its messages wait. A pass that is under way ends first."""
    from leat.control.webhooks import endpoint_states, pause

    now = datetime.now(UTC)
    endpoint_states(workspace.store, {name}, now)
    pause(workspace.store, name, by, now)


def try_endpoint(workspace: Workspace, webhooks: Webhooks, name: str) -> str | None:
    """Send a test message to an endpoint; returns None, or why it hasn't accepted it."""
    from leat.control.audit_events import note_alone
    from leat.files import make_private
    from leat.hooks.out.deliver import post
    from leat.sources.driver import Sync
    from leat.sources.errors import IntegrationError
    from leat.sources.settings import redact

    note_alone(workspace.store, "endpoint.tested", {"endpoint": name})
    now, folder = datetime.now(UTC), workspace.project.state / "sources" / "@webhooks.test"
    make_private(folder)
    sync = Sync(name, frozenset(), None, workspace.project.folder, folder, now)
    body = json.dumps({"type": "test", "timestamp": now.isoformat(), "data": {"endpoint": name}})
    try:
        post(name, webhooks.endpoints[name], workspace.project, sync, f"msg_test{now:%Y%m%d%H%M%S%f}", body)
    except IntegrationError as error:
        return redact(str(error)).removeprefix(f"{name}: ")
    return None
