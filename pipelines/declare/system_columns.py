"""The columns that leat adds to every stream's table and to its history: names, types and meanings."""

from __future__ import annotations

from collections.abc import Mapping

SYSTEM_COLUMNS: Mapping[str, str] = {"_load_id": "string", "_synced_at": "timestamp", "_deleted_at": "timestamp"}
HISTORY_COLUMNS: Mapping[str, str] = {"_load_id": "string", "valid_from": "timestamp", "valid_to": "timestamp"}

SYSTEM_DESCRIPTIONS: Mapping[str, str] = {
    "_load_id": "The load that last changed the row.",
    "_synced_at": "When that load was applied, UTC.",
    "_deleted_at": "When leat noticed that the row is gone from the system; null while it exists there.",
    "valid_from": "When this version of the row began, UTC.",
    "valid_to": "When it ended; null for the current version.",
}
