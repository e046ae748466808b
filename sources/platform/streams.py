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
        Column("trigger", "string", "Who started it: cli, dagster or serve."),
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

ACTIONS = Stream(
    name="actions",
    description="One action on a system: planned, approved, sent, or over.",
    columns=(
        Column("id", "string", "Identity of the action, a hash of what it is for."),
        Column("integration", "string", "The integration whose system it changes."),
        Column("verb", "string", "What it does, for example refund."),
        Column("guarantee", "string", "What makes its effect happen once: guarded, natural, probed or unprobeable."),
        Column("money", "boolean", "Whether it moves money."),
        Column("title", "string", "What it does, in one line.", personal=True),
        Column("target", "string", "What it acts on, for example charges/ch_1.", personal=True),
        Column("parameters", "json", "What was asked for.", personal=True),
        Column("digest", "string", "SHA-256 of what is sent; approvals are for this."),
        Column("state", "string", "planned, held, approved, sending, unknown, asking, done, confirmed, and so on."),
        Column("reason", "string", "Why it is in this state.", personal=True),
        Column("created_at", "timestamp", "When it was planned."),
        Column("created_by", "string", "Who planned it: a user account, or an automation.", personal=True),
        Column("updated_at", "timestamp", "When its state last changed."),
        Column("not_before", "timestamp", "When it may be sent; null for at once."),
        Column("expires_at", "timestamp", "When it is too late to send it."),
        Column("attempts", "integer", "How often it was sent."),
        Column("sent_at", "timestamp", "When it was sent first."),
        Column("ended_at", "timestamp", "When it was done, given up or withdrawn."),
        Column("receipt", "json", "What the system answered: ids and versions of what was made.", personal=True),
        Column("automation", "string", "The automation that planned it; null for a person."),
        Column("subject", "string", "Id of the violation that it is for."),
        Column("subject_opened_at", "timestamp", "When the violation's episode began, see leat.violations."),
        Column("undo_of", "string", "The action that it takes back."),
        Column("after_id", "string", "The action that has to be done before."),
    ),
    key=("id",),
    deletes="never",
    quirks=("What is sent is not here, but only in the control store: it may hold whole mails and files.",),
)

ACTION_ATTEMPTS = Stream(
    name="action_attempts",
    description="One time that an action was sent, and what came of it.",
    columns=(
        Column("id", "integer", "Number of the row; later ones are higher."),
        Column("action_id", "string", "The action."),
        Column("number", "integer", "1 for the first attempt."),
        Column("fence", "integer", "Number of the right under which it was sent; each sender has a higher one."),
        Column("sent_at", "timestamp", "When it was about to be sent."),
        Column("ended_at", "timestamp", "When the outcome was written down."),
        Column("outcome", "string", "The state that followed; lost when the sender died meanwhile."),
        Column("error_type", "string", "Class of the error, for example TimedOut; null when there was none."),
        Column("error", "string", "Message of the error, without secrets.", personal=True),
    ),
    key=("id",),
    deletes="never",
)

ACTION_APPROVALS = Stream(
    name="action_approvals",
    description="One decision of a person on an action.",
    columns=(
        Column("id", "integer", "Number of the row; later ones are higher."),
        Column("action_id", "string", "The action."),
        Column("digest", "string", "SHA-256 of what was decided on."),
        Column("decision", "string", "approved or rejected."),
        Column("decided_by", "string", "User account.", personal=True),
        Column("decided_at", "timestamp", "When."),
        Column("note", "string", "Why.", personal=True),
    ),
    key=("id",),
    deletes="never",
)

ACTION_EVENTS = Stream(
    name="action_events",
    description="One change of an action's state.",
    columns=(
        Column("id", "integer", "Number of the row; later ones are higher."),
        Column("action_id", "string", "The action."),
        Column("changed_at", "timestamp", "When."),
        Column("state", "string", "The state from then on."),
        Column("changed_by", "string", "Who changed it: a user account, an automation, or leat.", personal=True),
        Column("detail", "string", "Why.", personal=True),
    ),
    key=("id",),
    deletes="never",
)

TRACKING_EVENTS = Stream(
    name="tracking_events",
    description="One link of a mail that was followed, or picture that was loaded, where tracking was asked for.",
    columns=(
        Column("id", "integer", "Number of the row; later ones are higher."),
        Column("action_id", "string", "The action that sent the mail."),
        Column("kind", "string", "click or open."),
        Column("link", "integer", "The how-manieth link of the mail, from 0; null for a picture."),
        Column("happened_at", "timestamp", "When."),
        Column("judged", "string", "machine or likely_human: a guess, for much of it is done by machines."),
        Column("because", "string", "What it was judged by."),
    ),
    key=("id",),
    deletes="never",
    quirks=("It names no person and no machine: no address is stored.",),
)

AUTOMATION_RUNS = Stream(
    name="automation_runs",
    description="One run of an automation that planned something, or that reports something else than the run before.",
    columns=(
        Column("id", "integer", "Number of the row; later ones are higher."),
        Column("automation", "string", "Name of the automation."),
        Column("digest", "string", "SHA-256 of everything that decides what the automation does."),
        Column("mode", "string", "simulate or enabled; in simulate, the numbers are what it would have planned."),
        Column("version", "string", "The latest load in the version of the warehouse that it read."),
        Column("planned_at", "timestamp", "When it ran."),
        Column("targets", "integer", "Targets that it read."),
        Column("planned", "integer", "Targets for which it planned actions."),
        Column("approved", "integer", "Of these, those that needed no person."),
        Column("held", "integer", "Of these, those that exceeded a limit."),
        Column("expired", "integer", "Waiting actions that it withdrew, because they were no longer needed."),
        Column("refused", "integer", "Targets that it couldn't plan for."),
        Column("verdicts", "json", "Why it planned nothing, held targets, or couldn't plan.", personal=True),
    ),
    key=("id",),
    deletes="never",
)

STREAMS = (
    INTEGRATION_SYSTEMS,
    INTEGRATIONS,
    INTEGRATION_CONFIGS,
    INTEGRATION_LOGS,
    RUNS,
    API_CALLS,
    ACTIONS,
    ACTION_ATTEMPTS,
    ACTION_APPROVALS,
    ACTION_EVENTS,
    TRACKING_EVENTS,
    AUTOMATION_RUNS,
)

READS_CONTROL_STORE = True
"""What it loads is written by the loads of the other integrations."""
