"""The streams of an identity provider: what people do there, with what, and under which rules."""

from __future__ import annotations

from leat.sources.stream import Column, Stream
from leat.sources.subject import LOGIN, Subject

_WHOSE = Subject("user", "row")

SESSIONS = Stream(
    name="sessions",
    description="A session of somebody in an application: a token that was issued for them.",
    columns=(
        Column("id", "string", "Identity at the provider; no part of the token."),
        Column("user_id", "string", "The account.", subject=_WHOSE),
        Column("application_id", "string", "The application."),
        Column("scopes", "json", "Its scopes."),
        Column("renewable", "boolean", "Whether the application can renew it without the person."),
        Column("started_at", "timestamp", "When it began."),
        Column("expires_at", "timestamp", "When it expires."),
        Column("revoked_at", "timestamp", "When it was ended earlier."),
    ),
    key=("id",),
    deletes="full_scan",
    quirks=(
        "Canaille: the server doesn't store the sessions of browsers, which are in cookies; these are its tokens.",
        "Canaille: `canaille clean` deletes expired tokens, in bulk: allow it by `max_delete_share: 1`.",
    ),
)

LOGIN_EVENTS = Stream(
    name="login_events",
    description="A line of the provider's security log: a successful or failed sign-in, or a change of an account.",
    columns=(
        Column(
            "id", "string", "Identity: a digest of the log's first line, of where the line is in it, and of the line."
        ),
        Column("occurred_at", "timestamp", "When it happened."),
        Column("kind", "string", "login, logout, factor, token_issued, password_changed, user_changed, …"),
        Column("success", "boolean", "Whether it succeeded."),
        Column(
            "user_name",
            "string",
            "Login as it was typed, or as the provider names the account.",
            personal=True,
            subject=Subject("login", "row"),
        ),
        Column("user_id", "string", "The account, where the log names it by its id.", subject=_WHOSE),
        Column("actor", "string", "Who did it to the account, if it was somebody else.", personal=True, subject=LOGIN),
        Column("factor", "string", "The factor: password, otp, webauthn, sms or email."),
        Column("application", "string", "Name of the application, or its client id."),
        Column("ip", "string", "Address it came from.", personal=True),
        Column("user_agent", "string", "Program it came from, if the log says.", personal=True),
        Column("reason", "string", "Why it failed, or what exactly happened; secrets are blanked out.", personal=True),
    ),
    key=("id",),
    deletes="never",
    quirks=(
        "Canaille: a sign-in by password leaves two rows, a `factor` and a `login`; its log has no user agent.",
        "Canaille: a wrong login name leaves no line, so no row.",
    ),
)

DEVICES = Stream(
    name="devices",
    description="A device that is registered with the provider.",
    columns=(
        Column("id", "string", "Identity at the provider."),
        Column("user_id", "string", "The account it belongs to.", subject=_WHOSE),
        Column("name", "string", "What it is called.", personal=True),
        Column("platform", "string", "Operating system."),
        Column("status", "string", "For example active or suspended."),
        Column("registered_at", "timestamp", "When it was registered."),
        Column("last_seen_at", "timestamp", "When it was last used."),
    ),
    key=("id",),
    deletes="full_scan",
    quirks=("Neither SCIM nor Canaille has devices: the table is empty.",),
)

POLICIES = Stream(
    name="policies",
    description="A rule of the provider about who may sign in, and how.",
    columns=(
        Column("id", "string", "Identity at the provider."),
        Column("name", "string", "Name of the policy."),
        Column("kind", "string", "For example sign_on, password or mfa."),
        Column("status", "string", "For example active or inactive."),
        Column("priority", "integer", "Order of evaluation."),
        Column("rules", "json", "The rules, in the provider's words."),
        Column("created_at", "timestamp", "When it was made."),
        Column("updated_at", "timestamp", "When it was last changed."),
    ),
    key=("id",),
    deletes="full_scan",
    quirks=("Neither SCIM nor Canaille has policies: the table is empty.",),
)
