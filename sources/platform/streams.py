"""The streams of a control store (tables of the RFC's section Data Models, runs and their API calls)."""

from __future__ import annotations

from leat.sources.stream import Column, Stream

_INTEGRATION = (
    Column("integration_id", "integer", "The integration it belongs to."),
    Column("integration", "string", "Name of that integration."),
)
_CREATED_AT = Column("created_at", "timestamp", "When the row was written.")
_TIMES = (_CREATED_AT, Column("updated_at", "timestamp", "When the row was last changed."))

INTEGRATION_SYSTEMS = Stream(
    name="integration_systems",
    description="A kind of system, for example payments.",
    columns=(
        Column("id", "integer", "Number of the row."),
        Column("name", "string", "Name of the source."),
        Column("description", "string", "What the source is."),
        Column("created_by", "string", "User account that first declared it.", personal=True),
        *_TIMES,
        Column("status", "string", "active, or removed when nothing declares it any more."),
    ),
    key=("id",),
    deletes="full_scan",
)

INTEGRATIONS = Stream(
    name="integrations",
    description="One declared integration.",
    columns=(
        Column("id", "integer", "Number of the row."),
        Column("name", "string", "Name of the declaration."),
        Column("description", "string", "What the system is to its owner."),
        Column("integration_type", "string", "Source and driver, for example payments/stripe."),
        Column("integration_system_id", "integer", "The kind of system."),
        Column("integration_system", "string", "Name of the kind of system."),
        *_TIMES,
        Column("status", "string", "active, disabled, or removed when it is no longer declared."),
    ),
    key=("id",),
    deletes="full_scan",
)

INTEGRATION_CONFIGS = Stream(
    name="integration_configs",
    description="One override of a declaration.",
    columns=(
        Column("id", "integer", "Number of the row."),
        *_INTEGRATION,
        Column("key", "string", "Dotted path in the declaration, for example streams.events.selected."),
        Column("value", "string", "The value there, YAML.", personal=True),
        *_TIMES,
    ),
    key=("id",),
    deletes="full_scan",
)

INTEGRATION_LOGS = Stream(
    name="integration_logs",
    description="An event of an integration.",
    columns=(
        Column("id", "integer", "Number of the row; later ones are higher."),
        *_INTEGRATION,
        Column("event_type", "string", "What happened, for example sync_token_expired."),
        Column("event_data", "json", "Details of it."),
        _CREATED_AT,
    ),
    key=("id",),
    deletes="never",
)

RUNS = Stream(
    name="runs",
    description="One run of an integration that has ended.",
    columns=(
        Column("id", "string", "Identity of the run; later ones sort higher."),
        *_INTEGRATION,
        Column("trigger", "string", "Who started it: cli or dagster."),
        Column("started_at", "timestamp", "When it started."),
        Column("ended_at", "timestamp", "When it ended."),
        Column("status", "string", "loaded, nothing_new, failed, blocked by a check, or busy: another process ran it."),
        Column("rows_inserted", "integer", "Rows added, over all streams."),
        Column("rows_updated", "integer", "Rows changed, over all streams."),
        Column("rows_deleted", "integer", "Rows marked as deleted, over all streams."),
        Column("rows_quarantined", "integer", "Records quarantined because they couldn't become rows."),
        Column("load_id", "string", "The last load that it applied."),
        Column("seconds", "float", "How long it took."),
        Column("error_type", "string", "Class of the error if it failed; Killed if its process died."),
        Column("error", "string", "Message of the error, without secrets."),
    ),
    key=("id",),
    deletes="never",
    quirks=(
        "A run is here once it has ended.",
        "Runs with nothing new are loaded with the next run that had something.",
    ),
)

API_CALLS = Stream(
    name="api_calls",
    description="One HTTP request of a run, whatever its result.",
    columns=(
        Column("id", "integer", "Number of the row; never used again."),
        *_INTEGRATION,
        Column("run_id", "string", "The run that sent it."),
        Column("called_at", "timestamp", "When it was sent."),
        Column("host", "string", "Host and port."),
        Column("method", "string", "HTTP method."),
        Column(
            "path", "string", "Path without its query; /v1/charges/{id} where the driver names parts.", personal=True
        ),
        Column("status", "integer", "HTTP status; null if there was no response."),
        Column("attempt", "integer", "1 for the first attempt of a request."),
        Column("milliseconds", "float", "Time until the whole response was read."),
        Column("received_bytes", "integer", "Size of the body."),
        Column("error", "string", "Class of the error, for example RateLimited; null when there was none."),
        Column("rate_limit", "integer", "Calls that the server allows in its window."),
        Column("rate_remaining", "integer", "What was left of them."),
        Column("rate_reset_at", "timestamp", "When the window resets."),
        Column("version_asked", "string", "Requested API version."),
        Column("version_served", "string", "API version that the server used, according to itself."),
        Column(
            "deprecated_at", "timestamp", "Since when, or from when on, the server calls this deprecated (RFC 9745)."
        ),
        Column("sunset_at", "timestamp", "When the server will stop answering this (RFC 8594)."),
    ),
    key=("id",),
    deletes="never",
    quirks=(
        "The calls of a run are loaded after it has ended, with the next news, like runs.",
        "The control store retains them for 30 days, the warehouse for ever.",
        "leat doesn't record calls of setup tests (`leat check`), because they belong to no run.",
    ),
)

STREAMS = (INTEGRATION_SYSTEMS, INTEGRATIONS, INTEGRATION_CONFIGS, INTEGRATION_LOGS, RUNS, API_CALLS)

READS_CONTROL_STORE = True
"""What it loads is written by the loads of the other integrations."""
