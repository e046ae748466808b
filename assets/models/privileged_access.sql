/* ---
description: >-
  Who may do more than others, and why: each account with each privileged group that it is in, directly or through up
  to four levels of groups. A group is privileged if the declaration of single sign-on calls it a role, or if its name
  has a word such as admin, root or owner. Permissions inside applications aren't included.
grain: [user_id]
owners: [security]
columns:
  user_id: The account.
  user_name: Login.
  email: Main mail address, lower case.
  active: Whether the account may sign in.
  group_id: The privileged group.
  group_name: Its name.
  origin: role when it is declared as one; name when only its name says so.
  permissions: What its members may do, as the declaration says; null where it doesn't.
  direct: Whether the account itself is in the group; false when it is in by a group in it.
  has_second_factor: >-
    Whether the account has a factor in addition to its password; null if the provider reports no factors of anybody.
  last_sign_in_at: When the account last signed in; null if the log has no such time.
checks:
  - unique: [user_id, group_id]
  - not_null: [user_id, group_id, origin, direct]
  - accepted_values: {origin: [role, name]}
--- */
WITH privileged AS (
    SELECT
        g.id AS group_id,
        g.name,
        CASE WHEN r.group_id IS NULL THEN 'name' ELSE 'role' END AS origin,
        r.permissions
    FROM sso.groups AS g
    LEFT JOIN (
        SELECT group_id, MAX(CAST(permissions AS VARCHAR)) AS permissions
        FROM sso.roles
        WHERE _deleted_at IS NULL
        GROUP BY group_id
    ) AS r ON r.group_id = g.id
    WHERE g._deleted_at IS NULL
        AND (
            r.group_id IS NOT NULL
            OR REGEXP_MATCHES(
                LOWER(g.name),
                '(^|[^a-z])((super|sys|domain)?admins?|administrators?|root|sudo|wheel|superusers?|owners?)([^a-z]|$)'
            )
        )
),
members AS (
    SELECT group_id, member_id FROM sso.group_members WHERE _deleted_at IS NULL
    UNION
    SELECT r.group_id, a.member_id
    FROM sso.role_assignments AS a
    JOIN sso.roles AS r ON r.id = a.role_id
    WHERE a._deleted_at IS NULL AND r._deleted_at IS NULL
),
first_level AS (
    SELECT p.group_id, m.member_id FROM privileged AS p JOIN members AS m ON m.group_id = p.group_id
),
second_level AS (
    SELECT f.group_id, m.member_id FROM first_level AS f JOIN members AS m ON m.group_id = f.member_id
),
third_level AS (
    SELECT s.group_id, m.member_id FROM second_level AS s JOIN members AS m ON m.group_id = s.member_id
),
fourth_level AS (
    SELECT t.group_id, m.member_id FROM third_level AS t JOIN members AS m ON m.group_id = t.member_id
),
held AS (
    SELECT group_id, member_id, MAX(direct) AS direct
    FROM (
        SELECT group_id, member_id, 1 AS direct FROM first_level
        UNION ALL
        SELECT group_id, member_id, 0 AS direct FROM second_level
        UNION ALL
        SELECT group_id, member_id, 0 AS direct FROM third_level
        UNION ALL
        SELECT group_id, member_id, 0 AS direct FROM fourth_level
    ) AS levels
    GROUP BY group_id, member_id
),
factors AS (
    SELECT user_id, MAX(CASE WHEN kind <> 'password' THEN 1 ELSE 0 END) AS has_second
    FROM sso.factors
    WHERE _deleted_at IS NULL
    GROUP BY user_id
),
told AS (
    SELECT COUNT(*) AS factors FROM factors
),
seen AS (
    SELECT user_id, MAX(occurred_at) AS last_sign_in_at FROM sign_ins WHERE success GROUP BY user_id
)
SELECT
    u.id AS user_id,
    u.user_name,
    LOWER(u.email) AS email,
    COALESCE(u.active, TRUE) AS active,
    p.group_id,
    p.name AS group_name,
    p.origin,
    p.permissions,
    h.direct = 1 AS direct,
    CASE WHEN t.factors > 0 THEN COALESCE(f.has_second, 0) = 1 END AS has_second_factor,
    s.last_sign_in_at
FROM held AS h
JOIN privileged AS p ON p.group_id = h.group_id
JOIN sso.users AS u ON u.id = h.member_id
CROSS JOIN told AS t
LEFT JOIN factors AS f ON f.user_id = u.id
LEFT JOIN seen AS s ON s.user_id = u.id
WHERE u._deleted_at IS NULL
