"""The tables of the schema ``leat``, declared once: what a row is, and the name, type and meaning of each column.

Their DDL (:mod:`leat.pipelines.load.state`), their entries in the catalog and the check of docs/warehouse.md come from
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leat.sources.stream import Column


@dataclass(frozen=True, slots=True)
class SystemTable:
    """A table or view that leat itself fills: what a row is, and its columns in order."""

    description: str
    columns: tuple[Column, ...]

    @property
    def types(self) -> dict[str, str]:
        """Leat type by name of the column."""
        return {column.name: column.type for column in self.columns}


_LOAD = Column("load_id", "string", "The load; later ones sort higher.")
_INTEGRATION = Column("integration", "string", "Name of the integration.")
_STREAM = Column("stream", "string", "Name of the stream.")
_RULE = Column("rule", "string", "Name of the rule.")
_SEVERITY = Column("severity", "string", "warn, or error: an error withholds the new version from readers.")
_TITLE = Column("title", "string", "What must be true, in a few words.")
_NEXT_STEP = Column("next_step", "string", "What the recipient of an alert should do.")
_OWNER = Column("owner", "string", "The team that is responsible for it.")
_DETAIL = Column("detail", "string", "The result in words.")
_CHECKED_AT = Column("checked_at", "timestamp", "When it was last checked, UTC.")

TABLES: Mapping[str, SystemTable] = {
    "loads": SystemTable(
        "A load that changed something.",
        (
            _LOAD,
            _INTEGRATION,
            Column(
                "kind",
                "string",
                "sync; reset for a complete extraction; backfill for rows from a date on; retention; erasure.",
            ),
            Column("landed_at", "timestamp", "When its rows were on disk, UTC."),
            Column("applied_at", "timestamp", "When they were applied to the tables, UTC."),
        ),
    ),
    "load_streams": SystemTable(
        "What a load did to a stream.",
        (
            _LOAD,
            _INTEGRATION,
            _STREAM,
            Column("inserted", "integer", "Rows added."),
            Column("updated", "integer", "Rows changed."),
            Column("deleted", "integer", "Rows marked as deleted."),
            Column("quarantined", "integer", "Records set aside because they could not become rows."),
            Column("drifted", "integer", "Rows with fields that the stream doesn't know."),
            Column("total", "integer", "Rows that exist after it."),
            Column("purged", "integer", "Rows and versions that retention removed."),
            Column(
                "complete", "string", "What proved that the listing was complete; null when no whole listing was made."
            ),
            Column(
                "error",
                "string",
                "Why the stream failed in this load and its rows stayed as they were; null when it didn't.",
            ),
        ),
    ),
    "cursors": SystemTable(
        "Where the next extraction of an integration goes on.",
        (
            _INTEGRATION,
            Column("load_id", "string", "The load that brought the cursor."),
            Column("cursor", "json", "The cursor."),
            Column(
                "streams",
                "json",
                "Streams that are up to date with the cursor, as a JSON list; others are read from the start.",
            ),
        ),
    ),
    "streams": SystemTable(
        "The schema of a stream's table.",
        (
            _INTEGRATION,
            _STREAM,
            Column("table_schema", "json", "Its columns, key, masked and encrypted columns, and history."),
        ),
    ),
    "column_key": SystemTable(
        "The key that columns are encrypted with; one row, or none before the first such column.",
        (
            Column("kid", "string", "Id of the key; it is the second part of each ciphertext."),
            Column("since", "timestamp", "When all of these columns had ciphertexts of this key, UTC."),
            Column("binds", "boolean", "Whether ciphertexts say which column they are of; not in an earlier leat."),
        ),
    ),
    "log": SystemTable(
        "An unusual event that a source reported.",
        (
            _LOAD,
            _INTEGRATION,
            Column("event_type", "string", "What happened, for example sync_token_expired."),
            Column("event_data", "json", "Details of it."),
            Column("created_at", "timestamp", "When it happened, UTC."),
        ),
    ),
    "quarantine": SystemTable(
        "A record that could not become a row.",
        (
            _INTEGRATION,
            _STREAM,
            Column("record_key", "string", "What identifies the record in the source."),
            Column("reason", "string", "Why it could not become a row."),
            Column("record", "string", "The record as it came."),
            Column("load_id", "string", "The load that last brought it."),
            Column("first_seen_at", "timestamp", "When it first came, UTC."),
            Column("last_seen_at", "timestamp", "When it last came in a new form, UTC."),
            Column("digest", "string", "A keyed hash that identifies the record when it comes again."),
        ),
    ),
    "fields": SystemTable(
        "A field of a stream that was seen with a value.",
        (
            _INTEGRATION,
            _STREAM,
            Column("field", "string", "Name of the declared column, or of the field in extra."),
            Column("in_extra", "boolean", "Whether the field is one that the stream doesn't declare."),
            Column("load_id", "string", "The load that first brought it."),
            Column("first_seen_at", "timestamp", "When it first came, UTC."),
            Column(
                "vanished_at",
                "timestamp",
                "When a complete listing had no value of it any longer, UTC; null while there are values.",
            ),
        ),
    ),
    "histories": SystemTable(
        "Since when the history of a stream is complete.",
        (
            _INTEGRATION,
            _STREAM,
            Column("complete_from", "timestamp", "From when on the history has every version, UTC."),
        ),
    ),
    "retention": SystemTable(
        "When retention of an integration was last enforced.",
        (
            _INTEGRATION,
            Column("declared", "string", "The retention that was declared for its streams."),
            Column("enforced_at", "timestamp", "When that was last enforced, UTC."),
        ),
    ),
    "models": SystemTable(
        "A model that was built.",
        (
            Column("model", "string", "Name of the model."),
            Column("fingerprint", "string", "A hash of its query and the versions of its inputs."),
            Column("built_at", "timestamp", "When it was last built, UTC."),
            Column("row_count", "integer", "Its rows."),
        ),
    ),
    "model_inputs": SystemTable(
        "An input of a model with a grain: up to where the model reflects it.",
        (
            Column("model", "string", "Name of the model."),
            Column("input", "string", "Name of the input: integration.stream or analytics.model."),
            Column("version", "string", "The newest load of the input that the model has; else what its version was."),
            Column("loads", "integer", "How many loads had changed the input; 0 if it is read whole."),
            Column("form", "string", "Hashes of the model's query and of the model as it was built."),
        ),
    ),
    "refreshed": SystemTable(
        "A single row: what models and rules reflect.",
        (
            Column("mark", "string", "The loads and files that they reflect."),
            Column("checked_at", "timestamp", "When rules were last run, UTC."),
        ),
    ),
    "verdicts": SystemTable(
        "A single row: whether readers may have the newest version.",
        (
            Column("version", "string", "The loads and models that were judged."),
            Column("passed", "boolean", "Whether readers may have them."),
            Column("judged_at", "timestamp", "When, UTC."),
        ),
    ),
    "violations": SystemTable(
        "A violation of a rule.",
        (
            _RULE,
            Column("violation_key", "string", "Identity of the violation: a hash over the rule and its key."),
            _SEVERITY,
            Column("evidence", "json", "The row that the rule selected, as JSON."),
            Column("first_seen_at", "timestamp", "When a rule first selected it, UTC."),
            Column("last_seen_at", "timestamp", "When a rule last selected it, UTC."),
            Column("resolved_at", "timestamp", "When no rule selected it any more, UTC; null while it is open."),
            _OWNER,
            Column("opened_at", "timestamp", "When its current episode began, UTC."),
            Column("episodes", "integer", "How often it has been opened."),
            Column("flaps", "integer", "How often in a row it was opened again within a day of its resolution."),
            Column("acknowledged_by", "string", "Who acknowledged it; null if nobody has."),
            Column(
                "acknowledged_until",
                "timestamp",
                "Until when there are no alerts about it, UTC; null: until it is resolved.",
            ),
            Column("acknowledged_note", "string", "The note of the acknowledgement."),
        ),
    ),
    "rules": SystemTable(
        "A rule, and how its last run ended.",
        (
            _RULE,
            _TITLE,
            Column("description", "string", "What a violation means, and where it comes from most often."),
            _NEXT_STEP,
            _SEVERITY,
            _OWNER,
            Column("integrations", "json", "The integrations that it reads or needs, as a JSON list."),
            Column("outcome", "string", "holds, violated, skipped or failed."),
            _DETAIL,
            Column("violations", "integer", "How many violations it has."),
            _CHECKED_AT,
        ),
    ),
    "checks": SystemTable(
        "The last result of a check of a table.",
        (
            Column("subject", "string", "The table: integration.stream or analytics.model."),
            Column("check_name", "string", "Name of the check."),
            _SEVERITY,
            Column("ok", "boolean", "Whether it holds."),
            Column("failing", "integer", "How many rows broke it."),
            _DETAIL,
            Column("evidence", "json", "The first rows that broke it, as a JSON list; without personal data."),
            _CHECKED_AT,
            Column("place", "integer", "Its place among the checks."),
            Column("version", "string", "Of a model: what the rows were built of that it was about, or null."),
        ),
    ),
    "access_grants": SystemTable(
        "That an account may read what a role may, by connecting to the warehouse itself.",
        (
            Column("role", "string", "The role: viewer, analyst, operator or admin."),
            Column("account", "string", "Name of the account: a login role of the server, or a user of the machine."),
            Column("enforced_by", "string", "The role of the server, or the group, that the account is a member of."),
            Column("noticed_at", "timestamp", "Since when leat has seen it as a member, UTC."),
        ),
    ),
}
