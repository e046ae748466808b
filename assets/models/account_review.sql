/* ---
description: >-
  Every account of single sign-on, deactivated ones included, with what a review of access needs: whether it is
  dormant, orphaned or privileged, and whether it has a second factor. Times count to the last load of single sign-on.
owners: [security]
columns:
  user_id: The account.
  user_name: Login.
  email: Main mail address, lower case.
  display_name: Name to show.
  department: Department; null where the provider doesn't say.
  active: Whether the account may sign in.
  created_at: When it was made, where the provider says.
  deactivated_at: From when on it may not sign in, where the provider says; may lie ahead; null for who may.
  last_sign_in_at: When it last signed in; null if the log has no such time.
  days_since_sign_in: Whole days from then to the last load; null if the log has no such time.
  sign_ins_30_days: Times that it signed in during the last 30 days.
  is_dormant: Whether it is active and hasn't signed in for 90 days or more, or never as far as the log goes back.
  has_never_signed_in: Whether the log has no time at which it signed in.
  is_orphaned: Whether it is active and nobody answers for it, or nothing says what it is for.
  orphaned_reason: >-
    manager gone when the account of its manager is deactivated or doesn't exist; unused when it is in no group, uses no
    application and has never signed in; unassigned when it has neither a department nor a manager and is in no group;
    null when it isn't orphaned.
  groups: Groups that it is in, by itself.
  applications: Applications that it uses, those left out that it withdrew from.
  open_sessions: Sessions that have neither run out nor been ended.
  is_privileged: Whether it is in a privileged group, see privileged_access.
  privileges: Privileged groups that it is in, also by other groups.
  factors: Number of its factors; null if the provider reports no factors of anybody.
  has_second_factor: Whether one of them isn't a password; null if the provider reports no factors of anybody.
  lacks_second_factor: >-
    Whether it is active and has no second factor; null if the provider reports no factors of anybody.
checks:
  - unique: [user_id]
  - not_null: [user_id, active, is_dormant, is_orphaned, is_privileged]
  - accepted_values: {orphaned_reason: [manager gone, unused, unassigned]}
  - range: {groups: {min: 0}, days_since_sign_in: {min: 0}, sign_ins_30_days: {min: 0}}
--- */
WITH loaded AS (
    SELECT MAX(applied_at) AS at FROM leat.loads WHERE integration = 'sso'
),
seen AS (
    SELECT
        s.user_id,
        MAX(s.occurred_at) AS last_sign_in_at,
        COUNT(*) FILTER (WHERE s.occurred_at >= l.at - INTERVAL '30 days') AS recent
    FROM sign_ins AS s
    CROSS JOIN loaded AS l
    WHERE s.success AND s.user_id IS NOT NULL
    GROUP BY s.user_id
),
grouped AS (
    SELECT member_id AS user_id, COUNT(*) AS groups
    FROM sso.group_members
    WHERE _deleted_at IS NULL AND COALESCE(direct, TRUE)
    GROUP BY member_id
),
used AS (
    SELECT user_id, COUNT(*) AS applications
    FROM sso.app_assignments
    WHERE _deleted_at IS NULL AND revoked_at IS NULL
    GROUP BY user_id
),
opened AS (
    SELECT s.user_id, COUNT(*) AS sessions
    FROM sso.sessions AS s
    CROSS JOIN loaded AS l
    WHERE s._deleted_at IS NULL
        AND (s.expires_at IS NULL OR s.expires_at > l.at)
        AND (s.revoked_at IS NULL OR s.revoked_at > l.at)
    GROUP BY s.user_id
),
proved AS (
    SELECT user_id, COUNT(*) AS factors, COUNT(*) FILTER (WHERE kind <> 'password') AS seconds
    FROM sso.factors
    WHERE _deleted_at IS NULL
    GROUP BY user_id
),
told AS (
    SELECT COUNT(*) AS accounts FROM proved
),
privileged AS (
    SELECT user_id, COUNT(*) AS privileges FROM privileged_access GROUP BY user_id
),
facts AS (
    SELECT
        u.id AS user_id,
        u.user_name,
        LOWER(u.email) AS email,
        u.display_name,
        u.department,
        COALESCE(u.active, TRUE) AS active,
        u.created_at,
        d.deactivated_at,
        s.last_sign_in_at,
        CAST(FLOOR((EXTRACT(EPOCH FROM l.at) - EXTRACT(EPOCH FROM s.last_sign_in_at)) / 86400) AS BIGINT) AS days,
        COALESCE(s.recent, 0) AS recent,
        u.manager_id,
        u.manager_id IS NOT NULL AND NOT COALESCE(m.active, m.id IS NOT NULL) AS manager_gone,
        COALESCE(g.groups, 0) AS groups,
        COALESCE(a.applications, 0) AS applications,
        COALESCE(o.sessions, 0) AS sessions,
        COALESCE(p.privileges, 0) AS privileges,
        CASE WHEN t.accounts > 0 THEN COALESCE(f.factors, 0) END AS factors,
        CASE WHEN t.accounts > 0 THEN COALESCE(f.seconds, 0) END AS seconds
    FROM sso.users AS u
    CROSS JOIN loaded AS l
    CROSS JOIN told AS t
    LEFT JOIN sso.deactivations AS d ON d.user_id = u.id AND d._deleted_at IS NULL
    LEFT JOIN sso.users AS m ON m.id = u.manager_id AND m._deleted_at IS NULL
    LEFT JOIN seen AS s ON s.user_id = u.id
    LEFT JOIN grouped AS g ON g.user_id = u.id
    LEFT JOIN used AS a ON a.user_id = u.id
    LEFT JOIN opened AS o ON o.user_id = u.id
    LEFT JOIN proved AS f ON f.user_id = u.id
    LEFT JOIN privileged AS p ON p.user_id = u.id
    WHERE u._deleted_at IS NULL
),
judged AS (
    SELECT
        *,
        CASE
            WHEN NOT active THEN NULL
            WHEN manager_gone THEN 'manager gone'
            WHEN groups = 0 AND applications = 0 AND last_sign_in_at IS NULL THEN 'unused'
            WHEN groups = 0 AND manager_id IS NULL AND COALESCE(department, '') = '' THEN 'unassigned'
        END AS orphaned_reason
    FROM facts
)
SELECT
    user_id,
    user_name,
    email,
    display_name,
    department,
    active,
    created_at,
    deactivated_at,
    last_sign_in_at,
    CASE WHEN days < 0 THEN 0 ELSE days END AS days_since_sign_in,
    recent AS sign_ins_30_days,
    active AND COALESCE(days >= 90, TRUE) AS is_dormant,
    last_sign_in_at IS NULL AS has_never_signed_in,
    orphaned_reason IS NOT NULL AS is_orphaned,
    orphaned_reason,
    groups,
    applications,
    sessions AS open_sessions,
    privileges > 0 AS is_privileged,
    privileges,
    factors,
    seconds > 0 AS has_second_factor,
    active AND seconds = 0 AS lacks_second_factor
FROM judged
