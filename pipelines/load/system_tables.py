"""What the tables of the schemas ``leat`` and ``catalog`` and their columns mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Described:
    """What a row of a table is, and what each of its columns means."""

    table: str
    columns: Mapping[str, str]


_LOAD = "The load; later ones sort higher."
_INTEGRATION = "Name of the integration."
_STREAM = "Name of the stream."
_RULE = "Name of the rule."
_KEY = "Identity of the violation: a hash over the rule and its key."
_SEVERITY = "warn, or error: an error withholds the new version from readers."
_CHECKED = "When it was last checked, UTC."
_SCHEMA = "Schema of the table."
_TABLE = "Name of the table."
_TITLE = "What must be true, in a few words."
_NEXT = "What the recipient of an alert should do."
_OWNER = "The team that is responsible for it."

LEDGER: Mapping[str, str] = {
    "rule": _RULE,
    "violation_key": _KEY,
    "severity": _SEVERITY,
    "owner": _OWNER,
    "evidence": "The row that the rule selected, as JSON.",
    "first_seen_at": "When a rule first selected it, UTC.",
    "opened_at": "When its current episode began, UTC.",
    "last_seen_at": "When a rule last selected it, UTC.",
    "resolved_at": "When no rule selected it any more, UTC; null while it is open.",
    "episodes": "How often it has been opened.",
    "flaps": "How often in a row it was opened again within a day of its resolution.",
    "acknowledged_by": "Who acknowledged it; null if nobody has.",
    "acknowledged_until": "Until when there are no alerts about it, UTC; null: until it is resolved.",
    "acknowledged_note": "The note of the acknowledgement.",
}
_FOUND: Mapping[str, str] = {
    "ok": "Whether it holds.",
    "failing": "How many rows broke it.",
    "detail": "The result in words.",
    "checked_at": _CHECKED,
}

DESCRIPTIONS: Mapping[str, Described] = {
    "leat.loads": Described(
        "A load that changed something.",
        {
            "load_id": _LOAD,
            "integration": _INTEGRATION,
            "kind": "sync; reset for a complete extraction; backfill for rows from a date on; retention.",
            "landed_at": "When its rows were on disk, UTC.",
            "applied_at": "When they were applied to the tables, UTC.",
        },
    ),
    "leat.load_streams": Described(
        "What a load did to a stream.",
        {
            "load_id": _LOAD,
            "integration": _INTEGRATION,
            "stream": _STREAM,
            "inserted": "Rows added.",
            "updated": "Rows changed.",
            "deleted": "Rows marked as deleted.",
            "quarantined": "Records set aside because they could not become rows.",
            "drifted": "Rows with fields that the stream doesn't know.",
            "total": "Rows that exist after it.",
            "purged": "Rows and versions that retention removed.",
            "complete": "What proved that the listing was complete; null when no whole listing was made.",
            "error": "Why the stream failed in this load and its rows stayed as they were; null when it didn't.",
        },
    ),
    "leat.cursors": Described(
        "Where the next extraction of an integration goes on.",
        {
            "integration": _INTEGRATION,
            "load_id": "The load that brought the cursor.",
            "cursor": "The cursor.",
            "streams": "Streams that are up to date with the cursor, as a JSON list; others are read from the start.",
        },
    ),
    "leat.streams": Described(
        "The shape of a stream's table.",
        {"integration": _INTEGRATION, "stream": _STREAM, "shape": "Its columns, key, masked columns and history."},
    ),
    "leat.log": Described(
        "An unusual event that a source reported.",
        {
            "load_id": _LOAD,
            "integration": _INTEGRATION,
            "event_type": "What happened, for example sync_token_expired.",
            "event_data": "Details of it.",
            "created_at": "When it happened, UTC.",
        },
    ),
    "leat.quarantine": Described(
        "A record that could not become a row.",
        {
            "integration": _INTEGRATION,
            "stream": _STREAM,
            "record_key": "What identifies the record in the source.",
            "reason": "Why it could not become a row.",
            "record": "The record as it came.",
            "load_id": "The load that last brought it.",
            "first_seen_at": "When it first came, UTC.",
            "last_seen_at": "When it last came in a new form, UTC.",
            "digest": "A keyed hash that identifies the record when it comes again.",
        },
    ),
    "leat.fields": Described(
        "A field of a stream that was seen with a value.",
        {
            "integration": _INTEGRATION,
            "stream": _STREAM,
            "field": "Name of the declared column, or of the field in extra.",
            "in_extra": "Whether the field is one that the stream doesn't declare.",
            "load_id": "The load that first brought it.",
            "first_seen_at": "When it first came, UTC.",
            "vanished_at": "When a complete listing had no value of it any longer, UTC; null while there are values.",
        },
    ),
    "leat.models": Described(
        "A model that was built.",
        {
            "model": "Name of the model.",
            "fingerprint": "A hash of its query and the versions of its inputs.",
            "built_at": "When it was last built, UTC.",
            "row_count": "Its rows.",
        },
    ),
    "leat.histories": Described(
        "Since when the history of a stream is complete.",
        {
            "integration": _INTEGRATION,
            "stream": _STREAM,
            "known_from": "From when on the table has every version, UTC.",
        },
    ),
    "leat.retention": Described(
        "When retention of an integration was last enforced.",
        {
            "integration": _INTEGRATION,
            "declared": "The retention that was declared for its streams.",
            "enforced_at": "When that was last enforced, UTC.",
        },
    ),
    "leat.derived": Described(
        "One mark.",
        {"mark": "The loads and files that models and rules reflect.", "checked_at": "When rules were last run, UTC."},
    ),
    "leat.verdicts": Described(
        "The verdict on what was written last.",
        {
            "version": "The loads and models that were judged.",
            "passed": "Whether readers may have them.",
            "judged_at": "When, UTC.",
        },
    ),
    "leat.violations": Described("A violation of a rule.", LEDGER),
    "leat.rules": Described(
        "A rule, and how its last run ended.",
        {
            "rule": _RULE,
            "title": _TITLE,
            "description": "What a violation means, and where it comes from most often.",
            "next_step": _NEXT,
            "severity": _SEVERITY,
            "owner": _OWNER,
            "integrations": "The integrations that it reads or needs, as a JSON list.",
            "outcome": "holds, violated, skipped or failed.",
            "detail": "The result in words.",
            "violations": "How many violations it has.",
            "checked_at": _CHECKED,
        },
    ),
    "leat.checks": Described(
        "The last result of a check of a table.",
        {
            "subject": "The table: integration.stream or analytics.model.",
            "check_name": "Name of the check.",
            "severity": _SEVERITY,
            **_FOUND,
            "evidence": "The first rows that broke it, as a JSON list; without personal data.",
            "place": "Its place among the checks.",
        },
    ),
}
