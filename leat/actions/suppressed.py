"""Spares addresses that bounced, complained or opted out, when a mail is planned and again when it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from leat.control.subjects import erased_among
from leat.control.suppressions import SAID, read_suppressions
from leat.sources.actions import Refused, Verb


def refuse_suppressed(store: Engine, verb: Verb, payload: Mapping[str, Any]) -> None:
    """Make sure that all recipients of a mail may get it.

    Args:
        store: the control store.
        verb: what is done; only for one that sends mail anything is looked up.
        payload: that of the plan, with ``recipients``, and ``bulk`` if it is bulk mail.

    Raises:
        Refused: one of them may not.
    """
    if not verb.mails:
        return
    for address in erased_among(store, payload["recipients"]):
        msg = f"to: {address} gets no mail: the person was erased (`leat subject lift` takes that back)"
        raise Refused(msg)
    for each in read_suppressions(store, payload["recipients"]):
        if each.reason != "opt_out" or payload.get("bulk"):
            msg = f"to: {each.address} gets no mail: {SAID[each.reason]} (`leat suppressions remove` lets it)"
            raise Refused(msg)
