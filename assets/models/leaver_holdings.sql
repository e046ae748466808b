/* ---
description: >-
  What people who left still have, across all systems: one list to work off. A leaver is a deactivated account, or a
  deleted one whose address no active account has. Each row is one thing: a membership, a role, a session, an
  application, an account that reports to them, a calendar or a share of one, a future meeting that they organize, a
  mailbox, files by folder, a share of files, an unmerged branch, a ticket, a lead. Leads match by the person's name
  if only one account has it, everything else by account, login or main address.
owners: [security]
optional: [calendar, cloud_storage, crm_accounting, email, support, version_control]
columns:
  user_id: The account of who left.
  user_name: Login.
  email: Main mail address, lower case; null when there is none.
  left_at: From when on they may not sign in, where the provider says; for a deleted account when that was seen.
  system: The integration that holds it.
  kind: >-
    group, role, session, application, report, calendar, calendar_share, meeting, mailbox, files, file_share, branch,
    ticket or lead.
  thing_id: What it is, as its system names it.
  thing: What it is, for people.
  detail: More about it, for example what a share allows; null when there is nothing to say.
  since: Since when, where the system says; for a meeting when it begins.
checks:
  - unique: [user_id, system, kind, thing_id]
  - not_null: [user_id, system, kind, thing_id]
  - accepted_values:
      kind: [group, role, session, application, report, calendar, calendar_share, meeting, mailbox, files, file_share,
             branch, ticket, lead]
--- */
WITH times AS (
    SELECT
        MAX(applied_at) FILTER (WHERE integration = 'sso') AS of_sso,
        MAX(applied_at) FILTER (WHERE integration = 'calendar') AS of_calendar,
        MAX(applied_at) FILTER (WHERE integration = 'cloud_storage') AS of_storage
    FROM leat.loads
    WHERE integration IN ('sso', 'calendar', 'cloud_storage')
),
accounts AS (
    SELECT
        u.id,
        u.user_name,
        LOWER(u.email) AS email,
        LOWER(COALESCE(u.formatted_name, u.display_name)) AS name,
        u._deleted_at IS NULL AND COALESCE(u.active, TRUE) AS active,
        COALESCE(d.deactivated_at, u._deleted_at) AS left_at
    FROM sso.users AS u
    LEFT JOIN sso.deactivations AS d ON d.user_id = u.id AND (d._deleted_at IS NULL OR u._deleted_at IS NOT NULL)
),
logins AS (
    SELECT id, email AS login, active, left_at FROM accounts WHERE email IS NOT NULL
    UNION
    SELECT id, LOWER(user_name) AS login, active, left_at FROM accounts WHERE user_name IS NOT NULL
),
ranked AS (
    -- A login that somebody active has again isn't the leaver's any more; of several leavers, the last one's.
    SELECT
        id,
        login,
        active,
        ROW_NUMBER() OVER (
            PARTITION BY login
            ORDER BY CASE WHEN active THEN 0 ELSE 1 END, left_at DESC NULLS FIRST, id
        ) AS place
    FROM logins
),
known AS (
    SELECT id, login FROM ranked WHERE place = 1 AND NOT active
),
named AS (
    SELECT name, MIN(id) AS id
    FROM accounts
    WHERE name IS NOT NULL
    GROUP BY name
    HAVING COUNT(*) = 1 AND MAX(CASE WHEN active THEN 1 ELSE 0 END) = 0
),
calendar_principals AS (
    SELECT
        calendar,
        -- A principal is a login, an address, or a path that ends with one of them.
        SPLIT_PART(TRIM(REPLACE(LOWER(principal), 'mailto:', ''), '/'), '/', -1) AS login,
        MAX(CASE WHEN kind = 'owner' THEN 1 ELSE 0 END) AS is_owner,
        MAX(access) AS access,
        MIN(created) AS created
    FROM calendar.shares
    WHERE _deleted_at IS NULL AND kind IN ('owner', 'user') AND COALESCE(enabled_by_owner, TRUE)
    GROUP BY calendar, SPLIT_PART(TRIM(REPLACE(LOWER(principal), 'mailto:', ''), '/'), '/', -1)
),
organized AS (
    -- First who left, for there are many more occurrences than leavers.
    SELECT k.id, e.calendar, e.href, e.uid, e.recurrence_id, e.summary
    FROM calendar.events AS e
    JOIN known AS k ON k.login = LOWER(e.organizer_email)
    WHERE e._deleted_at IS NULL
),
meetings AS (
    SELECT
        g.id,
        g.uid,
        MAX(g.summary) AS summary,
        MIN(o.starts_at) AS starts_at,
        COUNT(DISTINCT o.starts_at) AS meetings
    FROM organized AS g
    JOIN calendar.occurrences AS o
        ON o.calendar = g.calendar
        AND o.href = g.href
        AND o.uid = g.uid
        AND o.recurrence_id = g.recurrence_id
    CROSS JOIN times AS t
    WHERE o._deleted_at IS NULL
        AND o.starts_at > t.of_calendar
        AND COALESCE(o.status, 'CONFIRMED') <> 'CANCELLED'
    GROUP BY g.id, g.uid
),
folders AS (
    SELECT bucket, prefix, LOWER(owner_email) AS email, COUNT(*) AS objects, SUM(size) AS bytes,
        MIN(last_modified) AS first_at
    FROM cloud_storage.objects
    WHERE _deleted_at IS NULL AND owner_email IS NOT NULL
    GROUP BY bucket, prefix, LOWER(owner_email)
),
mailboxes AS (
    SELECT account, COUNT(*) AS mailboxes, SUM(messages) AS messages
    FROM email.mailboxes
    WHERE _deleted_at IS NULL
    GROUP BY account
),
things AS (
    SELECT
        m.member_id AS user_id,
        'sso' AS system,
        'group' AS kind,
        m.group_id AS thing_id,
        g.name AS thing,
        CASE WHEN m.direct THEN 'direct' WHEN NOT m.direct THEN 'by a group in it' END AS detail,
        CAST(NULL AS TIMESTAMPTZ) AS since
    FROM sso.group_members AS m
    LEFT JOIN sso.groups AS g ON g.id = m.group_id AND g._deleted_at IS NULL
    WHERE m._deleted_at IS NULL
    UNION ALL
    SELECT a.member_id, 'sso', 'role', a.role_id, r.name, CAST(r.permissions AS VARCHAR), CAST(NULL AS TIMESTAMPTZ)
    FROM sso.role_assignments AS a
    LEFT JOIN sso.roles AS r ON r.id = a.role_id AND r._deleted_at IS NULL
    WHERE a._deleted_at IS NULL
    UNION ALL
    SELECT
        s.user_id,
        'sso',
        'session',
        s.id,
        a.name,
        CASE WHEN s.renewable THEN 'can be renewed without the person' END,
        s.started_at
    FROM sso.sessions AS s
    CROSS JOIN times AS t
    LEFT JOIN sso.applications AS a ON a.id = s.application_id AND a._deleted_at IS NULL
    WHERE s._deleted_at IS NULL
        AND (s.expires_at IS NULL OR s.expires_at > t.of_sso)
        AND (s.revoked_at IS NULL OR s.revoked_at > t.of_sso)
    UNION ALL
    SELECT x.user_id, 'sso', 'application', x.application_id, a.name, x.origin, x.granted_at
    FROM sso.app_assignments AS x
    LEFT JOIN sso.applications AS a ON a.id = x.application_id AND a._deleted_at IS NULL
    WHERE x._deleted_at IS NULL AND x.revoked_at IS NULL
    UNION ALL
    SELECT manager_id, 'sso', 'report', id, COALESCE(display_name, user_name), title, CAST(NULL AS TIMESTAMPTZ)
    FROM sso.users
    WHERE _deleted_at IS NULL AND COALESCE(active, TRUE) AND manager_id IS NOT NULL
    UNION ALL
    SELECT
        k.id,
        'calendar',
        CASE WHEN p.is_owner = 1 THEN 'calendar' ELSE 'calendar_share' END,
        p.calendar,
        COALESCE(c.name, p.calendar),
        p.access,
        p.created
    FROM calendar_principals AS p
    JOIN known AS k ON k.login = p.login
    LEFT JOIN calendar.calendars AS c ON c.calendar = p.calendar AND c._deleted_at IS NULL
    UNION ALL
    SELECT id, 'calendar', 'meeting', uid, summary, CAST(meetings AS VARCHAR) || ' to come', starts_at
    FROM meetings
    UNION ALL
    SELECT k.id, 'email', 'mailbox', m.account, m.account, CAST(CAST(m.messages AS BIGINT) AS VARCHAR) || ' messages',
        CAST(NULL AS TIMESTAMPTZ)
    FROM mailboxes AS m
    JOIN known AS k ON k.login = LOWER(m.account)
    UNION ALL
    SELECT
        k.id,
        'cloud_storage',
        'files',
        f.bucket || '/' || f.prefix,
        f.bucket || '/' || f.prefix,
        CAST(f.objects AS VARCHAR) || ' objects, ' || CAST(CAST(f.bytes AS BIGINT) AS VARCHAR) || ' bytes',
        f.first_at
    FROM folders AS f
    JOIN known AS k ON k.login = f.email
    UNION ALL
    SELECT
        k.id,
        'cloud_storage',
        'file_share',
        s.bucket || '/' || s.prefix || ' ' || s.permission || ' ' || s.origin,
        s.bucket || '/' || s.prefix,
        s.permission,
        CAST(NULL AS TIMESTAMPTZ)
    FROM cloud_storage.shares AS s
    CROSS JOIN times AS t
    JOIN known AS k ON k.login = LOWER(s.email)
    WHERE s._deleted_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > t.of_storage)
    UNION ALL
    SELECT
        k.id,
        'version_control',
        'branch',
        r.repository || ' ' || r.ref,
        r.repository || ' ' || r.name,
        CAST(r.ahead AS VARCHAR) || ' commits ahead',
        r.last_commit_at
    FROM version_control.refs AS r
    JOIN version_control.commits AS c ON c.repository = r.repository AND c."commit" = r."commit"
    JOIN known AS k ON k.login = LOWER(c.author_email)
    WHERE r._deleted_at IS NULL
        AND c._deleted_at IS NULL
        AND r.kind = 'branch'
        AND NOT COALESCE(r.is_default, FALSE)
        AND NOT COALESCE(r.merged, FALSE)
    UNION ALL
    SELECT k.id, 'support', 'ticket', CAST(t.number AS VARCHAR), t.subject, t.status, CAST(t.opened_at AS TIMESTAMPTZ)
    FROM support.tickets AS t
    JOIN known AS k ON k.login = LOWER(t.assignee_email)
    WHERE t._deleted_at IS NULL AND t.closed_at IS NULL
    UNION ALL
    SELECT n.id, 'crm_accounting', 'lead', l.lead_id, l.name, l.stage, l.created_at
    FROM crm_accounting.leads AS l
    JOIN named AS n ON n.name = LOWER(l.owner)
    WHERE l._deleted_at IS NULL AND l.stage IN ('lead', 'opportunity')
)
SELECT
    a.id AS user_id,
    a.user_name,
    a.email,
    a.left_at,
    t.system,
    t.kind,
    t.thing_id,
    t.thing,
    t.detail,
    t.since
FROM things AS t
JOIN accounts AS a ON a.id = t.user_id
WHERE NOT a.active
