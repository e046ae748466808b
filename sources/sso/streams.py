"""The streams of an identity provider: who there is."""

from __future__ import annotations

from leat.sources.sso.sign_ins import DEVICES, LOGIN_EVENTS, POLICIES, SESSIONS
from leat.sources.stream import Column, Stream
from leat.sources.subject import Subject, email_of, name_of

_TIMES = (
    Column("created_at", "timestamp", "When it was created, if the provider reports it."),
    Column("updated_at", "timestamp", "When it was last changed, if the provider reports it."),
)

_ACCOUNT = Subject("user", "personal")

USERS = Stream(
    name="users",
    description="An account of a person, deactivated ones included.",
    columns=(
        Column("id", "string", "Identity at the provider; it doesn't change when the login does.", subject=_ACCOUNT),
        Column("user_name", "string", "Login.", personal=True, subject=Subject("login", of="id")),
        Column("active", "boolean", "Whether the account may sign in; null when the provider doesn't say."),
        Column("external_id", "string", "Identity in the system that provisions the account.", personal=True),
        Column("display_name", "string", "Name to show.", personal=True, subject=name_of("id")),
        Column("formatted_name", "string", "Whole name.", personal=True, subject=name_of("id")),
        Column("given_name", "string", "First name.", personal=True),
        Column("family_name", "string", "Last name.", personal=True),
        Column("email", "string", "Main address: the primary one, otherwise the first.", True, email_of("id")),
        Column("emails", "json", "All addresses: value, type, primary.", personal=True, subject=email_of("id")),
        Column("phone_numbers", "json", "Phone numbers: value, type.", personal=True),
        Column("addresses", "json", "Postal addresses.", personal=True),
        Column("photos", "json", "Addresses of pictures.", personal=True),
        Column("profile_url", "string", "Page about the person.", personal=True),
        Column("title", "string", "What the person does."),
        Column("user_type", "string", "Kind of account, for example Employee or Contractor."),
        Column("employee_number", "string", "Number given by the employer.", personal=True),
        Column("department", "string", "Department."),
        Column("division", "string", "Division."),
        Column("organization", "string", "Organization."),
        Column("cost_center", "string", "Cost center."),
        Column("manager_id", "string", "The account of their manager.", subject=Subject("user")),
        Column("manager_name", "string", "Name of their manager.", personal=True, subject=name_of("manager_id")),
        Column("preferred_language", "string", "Language, as in Accept-Language."),
        Column("locale", "string", "Locale, for example fr-FR."),
        Column("timezone", "string", "IANA time zone."),
        Column("roles", "json", "Roles that the account itself names; those of its groups are in role_assignments."),
        Column("entitlements", "json", "Things that the account is entitled to."),
        *_TIMES,
        Column("version", "string", "Version at the provider (ETag)."),
    ),
    key=("id",),
    deletes="full_scan",
    quirks=(
        "A deactivated account stays, with `active` false; only one that was deleted gets `_deleted_at`.",
        "Canaille: an account with a lock date in the future already counts as deactivated.",
    ),
)

DEACTIVATIONS = Stream(
    name="deactivations",
    description="When an account was deactivated, or will be; an active account has no row.",
    columns=(
        Column("user_id", "string", "The account."),
        Column("deactivated_at", "timestamp", "From when on it may not sign in; may be in the future."),
    ),
    key=("user_id",),
    deletes="full_scan",
    quirks=("SCIM says only that an account is inactive, not since when: this is Canaille's `lock_date`.",),
)

GROUPS = Stream(
    name="groups",
    description="A group of accounts.",
    columns=(
        Column("id", "string", "Identity at the provider."),
        Column("name", "string", "Name of the group."),
        Column("description", "string", "Its purpose, if the provider reports it."),
        Column("external_id", "string", "Identity in the system that provisions the group."),
        *_TIMES,
        Column("version", "string", "Version at the provider (ETag)."),
    ),
    key=("id",),
    deletes="full_scan",
)

GROUP_MEMBERS = Stream(
    name="group_members",
    description="A member of a group: an account or another group.",
    columns=(
        Column("group_id", "string", "The group."),
        Column("member_id", "string", "The account or group."),
        Column("member_type", "string", "User or Group."),
        Column(
            "direct", "boolean", "False if the provider says that the membership is indirect, through another group."
        ),
    ),
    key=("group_id", "member_id"),
    deletes="full_scan",
    quirks=(
        "leat reads both the members of a group and the groups of a user; either is enough.",
        "leat resolves a member that is named by login; if the provider doesn't list that login, it is the id.",
    ),
)

ROLES = Stream(
    name="roles",
    description="A group that gives permissions to its members, according to the declaration.",
    columns=(
        Column("id", "string", "Identity: that of the group."),
        Column("name", "string", "Name of the group."),
        Column("group_id", "string", "The group."),
        Column("permissions", "json", "What its members may do, according to the declaration."),
    ),
    key=("id",),
    deletes="full_scan",
    quirks=("Which groups are roles is declared by `connection.roles`; without it there are none.",),
)

ROLE_ASSIGNMENTS = Stream(
    name="role_assignments",
    description="An account or group with a role.",
    columns=(
        Column("role_id", "string", "The role."),
        Column("member_id", "string", "The account or group that has it."),
        Column("member_type", "string", "User or Group."),
    ),
    key=("role_id", "member_id"),
    deletes="full_scan",
)

APPLICATIONS = Stream(
    name="applications",
    description="An application that people sign in to, or that itself signs in (an OIDC client).",
    columns=(
        Column("id", "string", "Identity at the provider."),
        Column("client_id", "string", "Name by which the application signs in; no secret."),
        Column("name", "string", "Name of the application."),
        Column("description", "string", "What it is for."),
        Column("url", "string", "Its home page."),
        Column("contacts", "json", "Addresses of the people responsible for it.", personal=True),
        Column("redirect_urls", "json", "Redirect addresses after a sign-in."),
        Column("grant_types", "json", "Its grant types for tokens (OAuth 2)."),
        Column("scopes", "json", "Its allowed scopes."),
        Column("secret_expires_at", "timestamp", "When its secret expires; null for never."),
        *_TIMES,
    ),
    key=("id",),
    deletes="full_scan",
)

APP_ASSIGNMENTS = Stream(
    name="app_assignments",
    description="A user of an application.",
    columns=(
        Column("application_id", "string", "The application."),
        Column("user_id", "string", "The account."),
        Column("origin", "string", "Where it comes from: consent, or token for an application that needs no consent."),
        Column("scopes", "json", "The scopes that the person granted."),
        Column("granted_at", "timestamp", "When the person agreed, or first used it."),
        Column("revoked_at", "timestamp", "When the person withdrew it."),
    ),
    key=("application_id", "user_id"),
    deletes="full_scan",
)

FACTORS = Stream(
    name="factors",
    description="A factor by which somebody can sign in.",
    columns=(
        Column("id", "string", "Identity: the account and the kind, and the credential's number for a passkey."),
        Column("user_id", "string", "The account.", subject=Subject("user", "row")),
        Column("kind", "string", "password, otp or webauthn."),
        Column("name", "string", "The person's name for it.", personal=True),
        Column("created_at", "timestamp", "When it was set up; for a password when it was last changed."),
        Column("last_used_at", "timestamp", "When it was last used, if the provider reports it."),
    ),
    key=("id",),
    deletes="full_scan",
)

STREAMS = (
    USERS,
    DEACTIVATIONS,
    GROUPS,
    GROUP_MEMBERS,
    ROLES,
    ROLE_ASSIGNMENTS,
    APPLICATIONS,
    APP_ASSIGNMENTS,
    FACTORS,
    SESSIONS,
    LOGIN_EVENTS,
    DEVICES,
    POLICIES,
)
DIRECTORY = frozenset({"users", "groups", "group_members", "roles", "role_assignments"})
"""Streams that SCIM has."""
