"""The queries to Canaille's tables, by stream, in SQL that SQLite and Postgres share, with their JSON and time columns.

Canaille 0.3 names them in ``canaille.backends.sql.models``; ``revokation`` is its own spelling.
"""

from __future__ import annotations

_APPLICATIONS = """
SELECT id, client_id, client_name AS name, description, client_uri AS url, contacts, redirect_uris AS redirect_urls,
       grant_types, scope AS scopes, client_secret_expires_at AS secret_expires_at, created AS created_at,
       last_modified AS updated_at
FROM client ORDER BY id
"""
_CONSENTS = """
SELECT client_id AS application_id, subject_id AS user_id, 'consent' AS origin, scope AS scopes,
       issue_date AS granted_at, revokation_date AS revoked_at
FROM consent ORDER BY issue_date, id
"""
_USED_WITHOUT_CONSENT = """
SELECT t.client_id AS application_id, t.subject_id AS user_id, 'token' AS origin, MIN(t.issue_date) AS granted_at
FROM token AS t
WHERE t.subject_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM consent AS c WHERE c.client_id = t.client_id AND c.subject_id = t.subject_id)
GROUP BY t.client_id, t.subject_id ORDER BY t.client_id, t.subject_id
"""
_PASSWORDS = """
SELECT id || '/password' AS id, id AS user_id, 'password' AS kind, password_last_update AS created_at
FROM "user" WHERE password IS NOT NULL ORDER BY id
"""
_ONE_TIME = """
SELECT id || '/otp' AS id, id AS user_id, 'otp' AS kind, last_otp_login AS last_used_at
FROM "user" WHERE secret_token IS NOT NULL ORDER BY id
"""
_PASSKEYS = """
SELECT user_id || '/webauthn/' || CAST(id AS VARCHAR(20)) AS id, user_id, 'webauthn' AS kind, name, created_at,
       last_used_at
FROM webauthn_credential ORDER BY webauthn_credential.id
"""
_SESSIONS = """
SELECT id, subject_id AS user_id, client_id AS application_id, scope AS scopes,
       CASE WHEN refresh_token IS NULL THEN 0 ELSE 1 END AS renewable,
       issue_date AS started_at, lifetime, revokation_date AS revoked_at
FROM token WHERE subject_id IS NOT NULL ORDER BY id
"""
_DEACTIVATIONS = """
SELECT id AS user_id, lock_date AS deactivated_at FROM "user" WHERE lock_date IS NOT NULL ORDER BY id
"""

QUERIES: dict[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "applications": (
        (
            _APPLICATIONS,
            dict.fromkeys(("contacts", "redirect_urls", "grant_types", "scopes"), "json")
            | dict.fromkeys(("secret_expires_at", "created_at", "updated_at"), "time"),
        ),
    ),
    "app_assignments": (
        (_CONSENTS, {"scopes": "json", "granted_at": "time", "revoked_at": "time"}),
        (_USED_WITHOUT_CONSENT, {"granted_at": "time"}),
    ),
    "factors": (
        (_PASSWORDS, {"created_at": "time"}),
        (_ONE_TIME, {"last_used_at": "time"}),
        (_PASSKEYS, {"created_at": "time", "last_used_at": "time"}),
    ),
    "deactivations": ((_DEACTIVATIONS, {"deactivated_at": "time"}),),
    "sessions": ((_SESSIONS, {"scopes": "json", "started_at": "time", "revoked_at": "time"}),),
}
