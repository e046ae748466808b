"""What an action is: a verb that a kind of system knows, and how one vendor does it.

``sources/<source>/actions.py`` has ``VERBS``, a tuple of :class:`Verb`: the same for every vendor. A driver that
can act has a module ``actions`` next to its ``driver.py`` with

``connect(connection, sync)``
    a context manager that opens the system and gives what the functions of actions take as ``system``; its ``sync`` has
    no streams and no cursor;
``ACTIONS``
    maps names of verbs to :class:`Action`. Where the user declares the verbs, the module has ``actions(connection)``
    instead, which returns pairs of :class:`Verb` and :class:`Action`;
``IN_FLIGHT``
    how many requests may be under way at a time on one ``system``; 1 where it isn't there. Where that is declared, the
    module has ``in_flight(connection)`` instead.

The steps of an action take plain data, so that a crash between two of them loses nothing::

    plan      reads the system, changes nothing, and returns exactly what would be sent
    send      makes the effect, once, from what was planned; it never tries again by itself
    probe     looks whether the effect of this action is there
    confirm   reads the system again and compares it with the plan

Only the receiving server can make an effect once. So each verb says what protects it, its guarantee, and leat does the
rest (:mod:`leat.actions.deliver`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict

from leat.sources.driver import ConnectionModel, Sync, load_driver, source_module
from leat.sources.retry import RetryPolicy

Guarantee = Literal["guarded", "natural", "probed", "unprobeable"]
"""What makes an effect happen once:

guarded
    The server refuses a second one: by a condition on the request, or by a key that it remembers.
natural
    It sets a state, so that a second one changes nothing. It is sent with what the plan was based on, so that a
    person's later change is never overridden.
probed
    It carries the id of the action and can be searched for.
unprobeable
    It can't be searched for. It is sent at most once; if nobody knows what became of it, a person has to look.
"""
GUARANTEES: Mapping[str, str] = {
    "guarded": "the system refuses a second request",
    "natural": "it sets a state, so a second request changes nothing",
    "probed": "leat searches for its effect before it sends it again",
    "unprobeable": "it is sent at most once; if the outcome is unknown, leat asks you",
}
"""The guarantees for people, in half a sentence."""


class Parameters(BaseModel):
    """What every verb's parameters derive from: frozen, and unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that a kind of system can be asked to do.

    Attributes:
        name: a verb, for example ``refund``; the user writes ``payments.refund``.
        description: one sentence that says what it does.
        parameters: the model of its parameters; each field has a description.
        guarantee: what makes its effect happen once.
        needs: the permission that it needs, in the words of the system.
        undo: how it is undone, in a sentence; what can't be undone says so here.
        money: whether it moves money, so that a second person has to approve it.
        mails: whether its payload has ``recipients``, mail addresses, and ``bulk``; those that bounced or opted out are
            spared, when it is planned and again when it is sent.
    """

    name: str
    description: str
    parameters: type[Parameters]
    guarantee: Guarantee
    needs: str
    undo: str
    money: bool = False
    mails: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that an action changes, in JSON values; None for what isn't there."""

    what: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Plan:
    """What an action would do, exactly. Nothing has been done yet.

    Attributes:
        title: one line that says what happens, for the person who approves: ``refund 12.00 EUR of charge ch_1``.
        target: what is acted on, the same for every action on it: ``charges/ch_1``.
        changes: what would be different afterwards.
        payload: all that ``send`` needs, as JSON. It is frozen: an approval is for it and for nothing else.
        precondition: what must still be true when it is sent, as JSON: an ETag, an oid.
        people: who notices it: addresses, or names of accounts.
        warnings: what the person who approves should know.
        bodies: bytes that are sent, by name, for what is too large for the payload or is no text.
        not_before: when it may be sent; None for at once.
    """

    title: str
    target: str
    changes: tuple[Change, ...]
    payload: Mapping[str, Any]
    precondition: Mapping[str, Any] = field(default_factory=dict)
    people: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    bodies: Mapping[str, bytes] = field(default_factory=dict)
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An action that is to be sent, or was.

    Attributes:
        id: its identity, 26 lower-case letters and digits, which the system is given where it can hold it. It depends
            on what is to happen and not on when it was planned: planned a second time, it is the same.
        parameters: what was asked for, validated.
        plan: what was planned and approved.
        attempt: 1 when it is sent for the first time.
        sent_at: when it was sent first, UTC; None before that.
    """

    id: str
    parameters: Any
    plan: Plan
    attempt: int = 1
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a system answered.

    Attributes:
        data: what identifies the effect, as JSON: ids, ETags, oids. No secrets.
        shown: what is shown once to the person who waits and is stored nowhere: a link that anybody can use.
        content: the bytes that it has made, such as a document. leat stores them, and a later step of an automation can
            use them.
    """

    data: Mapping[str, Any]
    shown: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Undo:
    """The action that takes another one back."""

    verb: str
    parameters: Mapping[str, Any]


class Refused(Exception):
    """An action can't be planned, or not be undone. The text says why and what to do next; nothing was sent."""


class Unfinished(Exception):
    """Sending has done a part of something large, and is called again at once for the rest, unless it was stopped.

    What was done isn't done again. The text says how far it is.
    """


def _nothing_to_undo(_system: Any, _order: Order, _receipt: Receipt) -> Undo:
    msg = "this can't be undone"
    raise Refused(msg)


@dataclass(frozen=True, slots=True)
class Action:
    """How one vendor does a verb.

    Attributes:
        plan: given the id of the action and the parameters; reads the system and returns the plan. Raises
            :class:`Refused` when it can't be done.
        send: makes the effect and returns the receipt. A request of it is never repeated by the client. Raises
            :class:`leat.sources.errors.Outdated` when the precondition doesn't hold any more, which the server should
            judge itself where it can. It may raise :class:`Refused` before anything is sent; the action then fails.
            What takes long raises :class:`Unfinished` after each part, so that a kill switch is obeyed in between.
        confirm: returns what is different from the plan; nothing when all is as planned.
        probe: returns the receipt of the effect when it is there, else None; with the same fields and content as
            ``send``, because a later step may use them. Only an unprobeable verb has none.
        undo: returns the action that takes it back.
        settle: seconds after which an effect that was made is seen by ``probe``.
        guarded_for: for how long a server remembers a key that it was given; None for ever. Later the action is probed.
    """

    plan: Callable[[Any, str, Any], Plan]
    send: Callable[[Any, Order], Receipt]
    confirm: Callable[[Any, Order, Receipt], tuple[Change, ...]]
    probe: Callable[[Any, Order], Receipt | None] | None = None
    undo: Callable[[Any, Order, Receipt], Undo] = _nothing_to_undo
    settle: float = 2.0
    guarded_for: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """What a driver can do.

    Attributes:
        connect: opens the system.
        actions: verbs and how they are done, by the name of the verb.
        in_flight: how many requests may be under way at a time.
        retry: the waits before an action is sent again; None for those of every action.
        paused_until: returns until when nothing is sent, because the system fails again and again; None for now.
    """

    connect: Callable[[ConnectionModel, Sync], AbstractContextManager[Any]]
    actions: Mapping[str, tuple[Verb, Action]]
    in_flight: int = 1
    retry: RetryPolicy | None = None
    paused_until: Callable[[], datetime | None] = lambda: None


def actor_of(source: str, driver: str, connection: ConnectionModel) -> Actor | None:
    """Return what a driver can do; None for one that only reads."""
    module = actions_module(source, driver)
    if module is None:
        return None
    declared = getattr(module, "actions", None)
    if declared is not None:
        actions = {verb.name: (verb, action) for verb, action in declared(connection)}
    else:
        verbs = {verb.name: verb for verb in verbs_of(source)}
        actions = {name: (verbs[name], action) for name, action in module.ACTIONS.items()}
    in_flight = module.in_flight(connection) if hasattr(module, "in_flight") else getattr(module, "IN_FLIGHT", 1)
    return Actor(module.connect, actions, in_flight)


def verbs_of(source: str) -> tuple[Verb, ...]:
    """Return the verbs of a kind of system; none where nobody can act on it yet."""
    package = source_module(source)
    if not (Path(package.__path__[0]) / "actions.py").is_file():
        return ()
    return cast("tuple[Verb, ...]", importlib.import_module(f"{package.__name__}.actions").VERBS)


def actions_module(source: str, driver: str) -> Any:
    """Return the module of a driver's actions; None when it has none."""
    package = importlib.import_module(load_driver(source, driver).__name__.removesuffix(".driver"))  # type: ignore[attr-defined]
    if not hasattr(package, "__path__"):
        return None
    folder = Path(package.__file__ or "").parent
    if not ((folder / "actions.py").is_file() or (folder / "actions" / "__init__.py").is_file()):
        return None
    return importlib.import_module(f"{package.__name__}.actions")
