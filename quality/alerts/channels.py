"""The channels of alerts as the outbox takes them: each is a verb that sends one message.

What protects a message from coming twice depends on its channel:

probed
    An integration for mail with a witness (docs/decisions/0022-sending-mail.md): leat looks for the mail first.
at_least_once
    All else. After a crash or without an answer the message is sent again with the same id, so that the receiver can
    recognise it, where it looks for that.
unprobeable
    With ``at_most_once``: it isn't sent again, and it counts as reported.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from pydantic import ValidationError

from leat.files import make_private
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.quality.alerts.declaration import Alerts, Channel
from leat.quality.alerts.delivery import remember_url
from leat.quality.alerts.sending import not_now, send
from leat.quality.alerts.text import Text
from leat.sources.actions import Action, Actor, Change, Order, Parameters, Plan, Receipt, Refused, Verb, actor_of
from leat.sources.driver import ConnectionModel, Sync
from leat.sources.errors import IntegrationError, NotConfigured

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Channels:
    """The channels, to send to them; integrations are opened when they are first needed.

    Attributes:
        alerts: what is declared.
        project: the project.
        declarations: its integrations.
        stack: closes the integrations.
        opened: the integrations that are open, by name.
    """

    alerts: Alerts
    project: Project
    declarations: Mapping[str, Declaration]
    stack: contextlib.ExitStack
    opened: dict[str, Any] = field(default_factory=dict)

    def mailer(self, integration: str) -> Any:
        """Return an integration for mail, open."""
        if integration not in self.opened:
            declaration, actor = self.declarations[integration], _actor(self.declarations, integration)
            folder = self.project.state / "sources" / f"{integration}.actions"
            make_private(folder)
            sync = Sync(integration, frozenset(), None, self.project.folder, folder, datetime.now(UTC))
            self.opened[integration] = self.stack.enter_context(actor.connect(declaration.connection, sync))
        return self.opened[integration]


class _Nothing(Parameters):
    """The parameters of an alert: all that it says is in its payload."""


def alert_actor(alerts: Alerts, project: Project, declarations: Mapping[str, Declaration]) -> Actor:
    """Return what sends messages to the declared channels: a verb for each."""

    @contextlib.contextmanager
    def connect(_connection: ConnectionModel, _sync: Sync) -> Iterator[Channels]:
        with contextlib.ExitStack() as stack:
            yield Channels(alerts, project, declarations, stack)

    actions = {}
    for name, channel in alerts.channels.items():
        guarantee: Any = guarantee_of(channel, declarations)
        verb = Verb(name, "Send an alert.", _Nothing, guarantee, "", "An alert can't be taken back.")
        actions[name] = (verb, _action(name, channel, declarations))
    return Actor(connect, actions)


def send_now(name: str, channels: Channels, message: str, title: str, body: str) -> None:
    """Send a message past the outbox: a test, which nobody sends again.

    Raises:
        IntegrationError: it wasn't sent.
        Refused: its integration can't send it.
    """
    order = Order(message, _Nothing(), Plan(title, name, (), {"title": title, "body": body, "severity": ""}))
    (_send if channels.alerts.channels[name].integration is None else _send_mail)(name, channels, order)


def guarantee_of(channel: Channel, declarations: Mapping[str, Declaration]) -> str:
    """Return what protects the messages of a channel from coming twice."""
    if channel.integration is not None and _send_verb(declarations, channel.integration)[0].guarantee == "probed":
        return "probed"
    return "unprobeable" if channel.at_most_once else "at_least_once"


def remember_secrets(alerts: Alerts, project: Project) -> None:
    """Remember what is secret in the URLs of all channels, before anything is written that may show it."""
    for name, channel in alerts.channels.items():
        with contextlib.suppress(NotConfigured):
            if channel.url is not None and not channel.is_off:
                remember_url(channel.read_url(name, project.folder))


def _action(name: str, channel: Channel, declarations: Mapping[str, Declaration]) -> Action:
    if channel.integration is None:
        return Action(_plan, partial(_send, name), _confirm, _absent, settle=0)
    declared = _send_verb(declarations, channel.integration)[1]
    probe = declared.probe
    if probe is None:
        return Action(_plan, partial(_send_mail, name), _confirm, _absent, settle=0)

    def confirm(channels: Channels, order: Order, receipt: Receipt) -> tuple[Change, ...]:
        mailer, mail = _mail(channels, name, order)
        return declared.confirm(mailer, mail, receipt)

    def look(channels: Channels, order: Order) -> Receipt | None:
        mailer, mail = _mail(channels, name, order)
        return probe(mailer, mail)

    return Action(_plan, partial(_send_mail, name), confirm, look, settle=declared.settle)


def _send(name: str, channels: Channels, order: Order) -> Receipt:
    channel, payload = channels.alerts.channels[name], order.plan.payload
    text = Text(payload["title"], payload["body"], payload["severity"])
    sent = partial(send, name, channel, text, order.id, order.sent_at, channels.project)
    return Receipt(_once_or_again(channel, sent))


def _send_mail(name: str, channels: Channels, order: Order) -> Receipt:
    channel = channels.alerts.channels[name]
    action = _send_verb(channels.declarations, str(channel.integration))[1]
    try:
        mailer, mail = _mail(channels, name, order)
    except NotConfigured as error:
        raise not_now(error) from error
    if action.probe is not None:
        return action.send(mailer, mail)
    return _once_or_again(channel, partial(action.send, mailer, mail))


def _once_or_again(channel: Channel, sent: Callable[[], _T]) -> _T:
    """Send; unless a message must not come twice, an attempt without an answer counts as not sent."""
    try:
        return sent()
    except IntegrationError as error:
        if not channel.at_most_once:
            error.reached = False
        raise


def _mail(channels: Channels, name: str, order: Order) -> tuple[Any, Order]:
    """Return an open integration, and the message as an order of its verb ``send``: the same bytes each time."""
    channel, payload = channels.alerts.channels[name], order.plan.payload
    verb, action = _send_verb(channels.declarations, str(channel.integration))
    wanted = {"to": channel.to, "subject": _printable(payload["title"])[:500], "text": _printable(payload["body"])}
    try:
        parameters = verb.parameters.model_validate(wanted)
    except ValidationError as error:
        raise Refused(str(error)) from None
    mailer = channels.mailer(str(channel.integration))
    return mailer, replace(order, parameters=parameters, plan=action.plan(mailer, order.id, parameters))


def _send_verb(declarations: Mapping[str, Declaration], integration: str) -> tuple[Verb, Action]:
    return _actor(declarations, integration).actions["send"]


def _actor(declarations: Mapping[str, Declaration], integration: str) -> Actor:
    declaration = declarations[integration]
    actor = actor_of(declaration.source, declaration.driver, declaration.connection)
    if actor is None:
        msg = f"{integration} can't send mail"
        raise Refused(msg)
    return actor


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)


def _plan(_channels: Channels, _id: str, _parameters: Any) -> Plan:
    msg = "an alert is written by a pass over the problems"
    raise Refused(msg)


def _absent(_channels: Channels, _order: Order) -> None:
    """Say that a message isn't there: nobody can look, and it may come twice."""


def _confirm(_channels: Channels, _order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    return ()
