"""What acting needs: the control store with the outbox, the project, and what its integrations can do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Engine

from leat.actions.mistakes import meaning_of, no_verb
from leat.files import make_private
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.diagnostics import meant
from leat.pipelines.declare.project import Project
from leat.sources.actions import Action, Actor, Parameters, Verb, actor_of
from leat.sources.driver import ConnectionModel, Sync


class UnknownAction(Exception):
    """No integration can do this, or its parameters are wrong; the text says what is right."""


@dataclass(frozen=True, slots=True)
class Office:
    """What acting needs.

    Attributes:
        store: the control store.
        project: the project.
        declarations: its integrations by name.
        own: how leat sends messages of its own, by their name (:data:`leat.control.outbox.OWN`).
    """

    store: Engine
    project: Project
    declarations: Mapping[str, Declaration]
    own: Mapping[str, Actor] = field(default_factory=dict)

    def actor(self, integration: str) -> Actor:
        """Return what an integration can do.

        Raises:
            UnknownAction: it isn't declared, or it can only be read.
        """
        if integration in self.own:
            return self.own[integration]
        declaration = self.declarations.get(integration)
        if declaration is None:
            msg = f"no integration {integration!r} is declared{meant(integration, self.declarations)}"
            raise UnknownAction(msg)
        actor = actor_of(declaration.source, declaration.driver, declaration.connection)
        if actor is None:
            msg = f"leat can only read {integration}: its driver {declaration.driver} has no actions"
            raise UnknownAction(msg)
        return actor

    def verb(self, integration: str, verb: str) -> tuple[Verb, Action]:
        """Return a verb of an integration, and how it is done.

        Raises:
            UnknownAction: it has no such verb.
        """
        actions = self.actor(integration).actions
        if verb not in actions:
            raise UnknownAction(no_verb(integration, verb, actions))
        return actions[verb]

    @contextlib.contextmanager
    def connected(self, integration: str) -> Iterator[Any]:
        """Open a system for the functions of its actions.

        Raises:
            IntegrationError: it can't be opened.
        """
        connection = ConnectionModel() if integration in self.own else self.declarations[integration].connection
        folder = (
            self.project.state / "sources" / f"{integration}.actions"
        )  # next to the loads', to share their rate budget
        make_private(folder)
        sync = Sync(integration, frozenset(), None, self.project.folder, folder, datetime.now(UTC))
        with self.actor(integration).connect(connection, sync) as system:
            yield system


def read_parameters(verb: Verb, name: str, given: Mapping[str, Any]) -> Parameters:
    """Return the parameters of a verb.

    Args:
        verb: the verb.
        name: how the user writes it, ``payments.refund``, for the error.
        given: values by name; text is read as what the parameter is.

    Raises:
        UnknownAction: with each parameter that is wrong, its name and why.
    """
    try:
        return verb.parameters.model_validate(dict(given))
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, each['loc'])) or name}: {_why(each, verb)}" for each in error.errors()]
        msg = f"{name}: " + "; ".join(wrong)
        raise UnknownAction(msg) from None


def _why(error: Any, verb: Verb) -> str:
    """Return what is wrong with a parameter, without its value, which may be private."""
    names = verb.parameters.model_fields
    if error["type"] == "extra_forbidden":
        return f"no such parameter{meant(str(error['loc'][-1]), names)}; there are {', '.join(names)}"
    if error["type"] == "missing":
        return f"is missing ({names[str(error['loc'][0])].description})"
    return meaning_of(error)
