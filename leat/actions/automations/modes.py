"""Which automations may act now: what is new or has changed is only simulated until a person enables it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from sqlalchemy import Engine

from leat.actions.automations.automation import Automation
from leat.control.automations import ModeRow, read_modes, set_mode


def current_modes(store: Engine, automations: Mapping[str, Automation], broken: Collection[str]) -> dict[str, ModeRow]:
    """Return the modes; what is new or has changed is simulated, what is gone is disabled."""
    modes, now = read_modes(store), datetime.now(UTC)
    for name, row in modes.items():
        if name not in automations and name not in broken and row.mode != "disabled":
            gone = ModeRow(name, "disabled", row.digest, "leat", now)
            set_mode(store, gone, "its automation is no longer declared")
    for name, automation in automations.items():
        seen = modes.get(name)
        if seen is None or (seen.digest != automation.digest and seen.mode != "disabled"):
            modes[name] = ModeRow(name, "simulate", automation.digest, "leat", now)
            set_mode(store, modes[name], "its automation was changed")
    return modes
