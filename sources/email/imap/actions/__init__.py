"""How a server of SMTP and IMAP does the verbs of e-mail (RFC 5321, RFC 5322, RFC 9051).

A mail carries the id of its action as its Message-ID. It is probed where something shows what the server accepted: a
witness, or copies that the server files itself. Without either, it is sent at most once, and a person is asked if
nobody knows what became of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from leat.sources.actions import Action, Verb
from leat.sources.email.actions import VERBS
from leat.sources.email.imap.actions import mail
from leat.sources.email.imap.actions.outgoing import confirm, connect, probe, send, undo
from leat.sources.email.imap.connection import Connection
from leat.sources.email.sending.declared import is_probed

__all__ = ["actions", "connect"]

_PLANS = {"send": mail.plan}


def actions(connection: Connection) -> Iterator[tuple[Verb, Action]]:
    """Yield each verb, and how it is done; what protects it depends on what is declared."""
    settle = connection.send.settle if connection.send is not None else 0.0
    for verb in VERBS:
        action = Action(_PLANS[verb.name], send, confirm, probe, undo, settle=settle)
        if is_probed(connection.send):
            yield verb, action
        else:
            yield replace(verb, guarantee="unprobeable"), replace(action, probe=None)
