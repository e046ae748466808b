/* ---
description: >-
  Everybody who has or had an account of the identity provider, deactivated and deleted ones included, and how many of
  their identities each system has. People without an account are only in analytics.identities.
owners: [people]
columns:
  person_id: The account; sso.users.id.
  user_name: Login.
  name: Name to show.
  email: Main address, lower case.
  title: What the person does.
  department: Department.
  manager_id: The account of their manager; another person_id, if that account exists.
  active: Whether the person may sign in, as of the last load of the identity provider.
  left_at: >-
    From when on the person may not sign in; may be in the future; null for people who haven't left. If the provider
    doesn't report it, this is the latest possible time: when the account was last changed, or when leat noticed its
    deletion.
  left_known_by: >-
    Where left_at comes from: deactivated_at, updated_at (at the latest then) or deleted (at the latest then).
  joined_at: When the account was made, where the provider says.
  identities: Rows of analytics.identities that are this person.
  doubtful_identities: Of these, the ones that might be somebody else, with a confidence below 0.9.
  systems: Systems that the person was seen in, the identity provider included.
  email_identities: Of the identities, those in email.
  version_control_identities: Those in version control.
  calendar_identities: Those in the calendar.
  cloud_storage_identities: Those in cloud storage.
  support_identities: Those in tickets and reviews.
  crm_accounting_identities: Those in the CRM.
  payments_identities: Those in payments.
  last_active_at: When the person last signed in, sent a mail, committed or tried a backup, where that is loaded.
checks:
  - unique: person_id
  - not_null: [person_id, active, identities, systems]
  - accepted_values: {left_known_by: [deactivated_at, updated_at, deleted]}
  - range: {identities: {min: 0}, systems: {min: 0}}
--- */
WITH loaded AS (
    SELECT MAX(applied_at) AS at FROM leat.loads WHERE integration = 'sso'
),
accounts AS (
    SELECT
        u.*,
        CASE
            WHEN u._deleted_at IS NOT NULL THEN COALESCE(d.deactivated_at, u._deleted_at)
            WHEN u.active IS FALSE THEN COALESCE(d.deactivated_at, u.updated_at, u._synced_at)
            WHEN d.deactivated_at > l.at THEN d.deactivated_at
        END AS left_at,
        CASE
            WHEN d.deactivated_at IS NOT NULL THEN 'deactivated_at'
            WHEN u._deleted_at IS NOT NULL THEN 'deleted'
            ELSE 'updated_at'
        END AS left_known_by,
        l.at
    FROM sso.users AS u
    CROSS JOIN loaded AS l
    LEFT JOIN sso.deactivations AS d ON d.user_id = u.id AND d._deleted_at IS NULL
),
seen AS (
    SELECT
        i.person_id,
        COUNT(*) AS identities,
        COUNT(*) FILTER (WHERE i.confidence < 0.9) AS doubtful_identities,
        COUNT(DISTINCT i.system) AS systems,
        COUNT(*) FILTER (WHERE i.system = 'email') AS email_identities,
        COUNT(*) FILTER (WHERE i.system = 'version_control') AS version_control_identities,
        COUNT(*) FILTER (WHERE i.system = 'calendar') AS calendar_identities,
        COUNT(*) FILTER (WHERE i.system = 'cloud_storage') AS cloud_storage_identities,
        COUNT(*) FILTER (WHERE i.system = 'support') AS support_identities,
        COUNT(*) FILTER (WHERE i.system = 'crm_accounting') AS crm_accounting_identities,
        COUNT(*) FILTER (WHERE i.system = 'payments') AS payments_identities,
        MAX(i.last_seen_at) FILTER (
            WHERE i.kind IN ('sign-in', 'sender', 'commit author', 'restore tester') AND i.last_seen_at <= l.at
        ) AS last_active_at
    FROM identities AS i
    CROSS JOIN loaded AS l
    WHERE i.person_id IS NOT NULL
    GROUP BY i.person_id
)
SELECT
    a.id AS person_id,
    a.user_name,
    COALESCE(a.display_name, a.formatted_name, a.user_name) AS name,
    LOWER(TRIM(a.email)) AS email,
    a.title,
    a.department,
    a.manager_id,
    a.left_at IS NULL OR a.left_at > a.at AS active,
    a.left_at,
    CASE WHEN a.left_at IS NOT NULL THEN a.left_known_by END AS left_known_by,
    a.created_at AS joined_at,
    COALESCE(s.identities, 0) AS identities,
    COALESCE(s.doubtful_identities, 0) AS doubtful_identities,
    COALESCE(s.systems, 0) AS systems,
    COALESCE(s.email_identities, 0) AS email_identities,
    COALESCE(s.version_control_identities, 0) AS version_control_identities,
    COALESCE(s.calendar_identities, 0) AS calendar_identities,
    COALESCE(s.cloud_storage_identities, 0) AS cloud_storage_identities,
    COALESCE(s.support_identities, 0) AS support_identities,
    COALESCE(s.crm_accounting_identities, 0) AS crm_accounting_identities,
    COALESCE(s.payments_identities, 0) AS payments_identities,
    s.last_active_at
FROM accounts AS a
LEFT JOIN seen AS s ON s.person_id = a.id
