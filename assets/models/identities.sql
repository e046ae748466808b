/* ---
description: >-
  Every address and login in any system, in each role that it has there, and whom it belongs to. leat tries the rules
  in the order of matched_by, and the first match counts, so an identity has at most one owner. Identities that no
  rule resolves are here too, with resolved_to unresolved. Comparing addresses ignores case, and blanks around the
  address.
owners: [people]
optional: [calendar, cloud_storage, crm_accounting, email, payments, support, version_control]
columns:
  system: The integration that it was seen in.
  kind: >-
    What it does there: account and sign-in (sso), mailbox, sender and recipient (email), commit author, organizer,
    attendee, resource, group, calendar owner and calendar guest (calendar), file owner, storage account, storage guest
    and restore tester (cloud_storage), ticket assignee, ticket customer and reviewer (support), contact and company
    (crm_accounting), customer and payer (payments).
  identity: The address or login as it was written, lower case, without blanks around it; of a path its last part.
  base_address: The address without a plus sign and what follows it before the @; else the identity itself.
  name: Name shown with it; the last in alphabetical order when there are several.
  resolved_to: person (an account of sso), contact or company (of the CRM), shared (nobody's own), or unresolved.
  person_id: The account; analytics.people.person_id. Null unless it is a person.
  contact_id: The contact in the CRM; null unless it is a contact.
  company_id: The company of the contact, or the company itself; null unless it is one of both.
  matched_by: >-
    The rule. sso_account: it is the account itself. mailmap: .mailmap gives the commit to an address of the account.
    sso_email: an address of the account. sso_user_name: the account's login. shared_mailbox: the declaration of email
    says that the account is shared. plus_address: one of these, once a plus sign and what follows it are left out.
    contact_email: an address of the contact in the CRM, with or without plus sign. company_email: an address of the
    company. local_part_in_our_domain: the account's login at one of our domains. Null when it is unresolved.
  confidence: >-
    1 for sso_account, sso_email, shared_mailbox, contact_email and company_email, 0.95 for mailmap and sso_user_name,
    0.9 for plus_address, 0.7 for local_part_in_our_domain, each divided by candidates; 0 when it is unresolved.
  candidates: How many accounts, contacts or companies the rule matches; more than 1 means doubt, 0 means no match.
  first_seen_at: When it was first seen there, where the system says.
  last_seen_at: When it was last seen there, where the system says; may lie ahead for meetings.
  times: How often it was seen, for example messages, commits or meetings.
checks:
  - unique: [system, kind, identity]
  - not_null: [system, kind, identity, resolved_to, confidence, candidates, times]
  - accepted_values: {resolved_to: [person, contact, company, shared, unresolved]}
  - range: {confidence: {min: 0, max: 1}, candidates: {min: 0}, times: {min: 0}}
  - foreign_key: {person_id: people.person_id}
--- */
WITH mailmapped AS (
    -- Repositories may map one address to different people; that is told by candidates.
    SELECT
        LOWER(TRIM(author_email_raw)) AS identity,
        MIN(LOWER(TRIM(author_email))) AS mapped,
        COUNT(DISTINCT LOWER(TRIM(author_email))) AS candidates
    FROM version_control.commits
    WHERE _deleted_at IS NULL
    GROUP BY LOWER(TRIM(author_email_raw))
),
sightings AS (
    SELECT
        'sso' AS system, 'account' AS kind, user_name AS written,
        COALESCE(display_name, formatted_name) AS name,
        created_at AS first_at, updated_at AS last_at, 1 AS times
    FROM sso.users
    UNION ALL
    SELECT 'sso', 'sign-in', user_name, CAST(NULL AS VARCHAR), MIN(occurred_at), MAX(occurred_at), COUNT(*)
    FROM sso.login_events
    WHERE _deleted_at IS NULL AND kind = 'login'
    GROUP BY user_name
    UNION ALL
    SELECT 'email', 'mailbox', b.account, CAST(NULL AS VARCHAR), MIN(m.first_at), MAX(m.last_at),
        COALESCE(CAST(SUM(m.messages) AS BIGINT), 0)
    FROM email.mailboxes AS b
    LEFT JOIN (
        SELECT account, mailbox, MIN(received_at) AS first_at, MAX(received_at) AS last_at, COUNT(*) AS messages
        FROM email.messages
        WHERE _deleted_at IS NULL
        GROUP BY account, mailbox
    ) AS m ON m.account = b.account AND m.mailbox = b.mailbox
    WHERE b._deleted_at IS NULL
    GROUP BY b.account
    UNION ALL
    SELECT 'email', 'sender', from_email, MAX(from_name), MIN(received_at), MAX(received_at), COUNT(*)
    FROM email.messages
    WHERE _deleted_at IS NULL
    GROUP BY from_email
    UNION ALL
    SELECT 'email', 'recipient', r.email, MAX(r.name), MIN(m.received_at), MAX(m.received_at), COUNT(*)
    FROM email.recipients AS r
    JOIN email.messages AS m
        ON m.account = r.account AND m.mailbox = r.mailbox AND m.uidvalidity = r.uidvalidity AND m.uid = r.uid
    WHERE r._deleted_at IS NULL AND m._deleted_at IS NULL AND r.role IN ('to', 'cc', 'bcc')
    GROUP BY r.email
    UNION ALL
    SELECT 'version_control', 'commit author', author_email_raw, MAX(author_name), MIN(authored_at),
        MAX(authored_at), COUNT(*)
    FROM version_control.commits
    WHERE _deleted_at IS NULL
    GROUP BY author_email_raw
    UNION ALL
    SELECT 'calendar', 'organizer', organizer_email, MAX(organizer_name), MIN(starts_at), MAX(starts_at),
        COUNT(DISTINCT uid)
    FROM calendar.events
    WHERE _deleted_at IS NULL
    GROUP BY organizer_email
    UNION ALL
    SELECT
        'calendar',
        CASE
            WHEN UPPER(a.kind) IN ('ROOM', 'RESOURCE') THEN 'resource'
            WHEN UPPER(a.kind) = 'GROUP' THEN 'group'
            ELSE 'attendee'
        END,
        COALESCE(a.email, a.address), MAX(a.name), MIN(e.starts_at), MAX(e.starts_at), COUNT(DISTINCT e.uid)
    FROM calendar.attendees AS a
    JOIN calendar.events AS e
        ON e.calendar = a.calendar AND e.href = a.href AND e.uid = a.uid AND e.recurrence_id = a.recurrence_id
    WHERE a._deleted_at IS NULL AND e._deleted_at IS NULL
    GROUP BY
        CASE
            WHEN UPPER(a.kind) IN ('ROOM', 'RESOURCE') THEN 'resource'
            WHEN UPPER(a.kind) = 'GROUP' THEN 'group'
            ELSE 'attendee'
        END,
        COALESCE(a.email, a.address)
    UNION ALL
    SELECT 'calendar', 'calendar owner', owner, CAST(NULL AS VARCHAR), CAST(NULL AS TIMESTAMPTZ),
        CAST(NULL AS TIMESTAMPTZ), COUNT(*)
    FROM calendar.calendars
    WHERE _deleted_at IS NULL
    GROUP BY owner
    UNION ALL
    SELECT 'calendar', 'calendar guest', principal, CAST(NULL AS VARCHAR), MIN(created), MAX(updated), COUNT(*)
    FROM calendar.shares
    WHERE _deleted_at IS NULL AND kind = 'user'
    GROUP BY principal
    UNION ALL
    SELECT 'cloud_storage', 'file owner', owner_email, CAST(NULL AS VARCHAR), MIN(last_modified),
        MAX(last_modified), COUNT(*)
    FROM cloud_storage.objects
    WHERE _deleted_at IS NULL
    GROUP BY owner_email
    UNION ALL
    SELECT 'cloud_storage', 'storage account', owner_id, MAX(owner_name), MIN(created_at), MAX(created_at), COUNT(*)
    FROM cloud_storage.buckets
    WHERE _deleted_at IS NULL
    GROUP BY owner_id
    UNION ALL
    SELECT 'cloud_storage', 'storage guest', COALESCE(email, principal), CAST(NULL AS VARCHAR),
        CAST(NULL AS TIMESTAMPTZ), CAST(NULL AS TIMESTAMPTZ), COUNT(*)
    FROM cloud_storage.shares
    WHERE _deleted_at IS NULL AND NOT COALESCE(is_public, FALSE)
    GROUP BY COALESCE(email, principal)
    UNION ALL
    SELECT 'cloud_storage', 'restore tester', tested_by_email, CAST(NULL AS VARCHAR), MIN(tested_at),
        MAX(tested_at), COUNT(*)
    FROM cloud_storage.restore_tests
    WHERE _deleted_at IS NULL
    GROUP BY tested_by_email
    UNION ALL
    SELECT 'support', 'ticket assignee', assignee_email, CAST(NULL AS VARCHAR),
        MIN(CAST(opened_at AS TIMESTAMPTZ)), MAX(CAST(opened_at AS TIMESTAMPTZ)), COUNT(*)
    FROM support.tickets
    WHERE _deleted_at IS NULL
    GROUP BY assignee_email
    UNION ALL
    SELECT 'support', 'ticket customer', customer_email, CAST(NULL AS VARCHAR),
        MIN(CAST(opened_at AS TIMESTAMPTZ)), MAX(CAST(opened_at AS TIMESTAMPTZ)), COUNT(*)
    FROM support.tickets
    WHERE _deleted_at IS NULL
    GROUP BY customer_email
    UNION ALL
    SELECT 'support', 'reviewer', customer_email, CAST(NULL AS VARCHAR),
        MIN(CAST(created_at AS TIMESTAMPTZ)), MAX(CAST(created_at AS TIMESTAMPTZ)), COUNT(*)
    FROM support.reviews
    WHERE _deleted_at IS NULL
    GROUP BY customer_email
    UNION ALL
    SELECT 'crm_accounting', 'contact', k.email, MAX(k.name), MIN(c.created_at), MAX(c.updated_at),
        COUNT(DISTINCT k.id)
    FROM known_addresses AS k
    LEFT JOIN crm_accounting.contacts AS c ON c.contact_id = k.id
    WHERE k.known_as = 'contact'
    GROUP BY k.email
    UNION ALL
    SELECT 'crm_accounting', 'company', k.email, MAX(k.name), MIN(c.created_at), MAX(c.updated_at),
        COUNT(DISTINCT k.id)
    FROM known_addresses AS k
    LEFT JOIN crm_accounting.companies AS c ON c.company_id = k.id
    WHERE k.known_as = 'company'
    GROUP BY k.email
    UNION ALL
    SELECT 'payments', 'customer', email, MAX(name), MIN(created_at), MAX(created_at), COUNT(*)
    FROM payments.customers
    WHERE _deleted_at IS NULL
    GROUP BY email
    UNION ALL
    SELECT 'payments', 'payer', receipt_email, CAST(NULL AS VARCHAR), MIN(created_at), MAX(created_at), COUNT(*)
    FROM payments.charges
    WHERE _deleted_at IS NULL
    GROUP BY receipt_email
),
cleaned AS (
    -- A principal is a path such as /alice/ or /principals/alice@example.com/; a calendar address begins with mailto:.
    SELECT
        system,
        kind,
        REGEXP_REPLACE(LOWER(TRIM(REVERSE(SPLIT_PART(REVERSE(RTRIM(written, '/')), '/', 1)))), '^mailto:', '')
            AS identity,
        name,
        first_at,
        last_at,
        times
    FROM sightings
    WHERE written IS NOT NULL
),
seen AS (
    SELECT
        system,
        kind,
        identity,
        REGEXP_REPLACE(identity, '[+][^@]*@', '@') AS base_address,
        MAX(name) AS name,
        MIN(first_at) AS first_seen_at,
        MAX(last_at) AS last_seen_at,
        CAST(SUM(times) AS BIGINT) AS times
    FROM cleaned
    WHERE identity <> ''
    GROUP BY system, kind, identity
),
shared AS (
    SELECT DISTINCT LOWER(TRIM(account)) AS address
    FROM email.mailboxes
    WHERE _deleted_at IS NULL AND shared
),
known AS (
    -- Of several records with one address: one that isn't put aside, then the first by its id.
    SELECT
        known_as,
        email AS address,
        id,
        company_id,
        COUNT(*) OVER (PARTITION BY known_as, email) AS candidates,
        ROW_NUMBER() OVER (PARTITION BY known_as, email ORDER BY archived, LENGTH(id), id) AS position
    FROM known_addresses
    WHERE known_as IN ('contact', 'company')
),
accounts AS (
    -- Two accounts with one login: the one that isn't deleted, then the first by its id.
    SELECT
        id,
        LOWER(TRIM(user_name)) AS login,
        COUNT(*) OVER (PARTITION BY LOWER(TRIM(user_name)), _deleted_at IS NULL) AS candidates,
        ROW_NUMBER() OVER (
            PARTITION BY LOWER(TRIM(user_name))
            ORDER BY CASE WHEN _deleted_at IS NULL THEN 0 ELSE 1 END, id
        ) AS position
    FROM sso.users
),
matches AS (
    SELECT
        s.system, s.kind, s.identity, 1 AS place, 'sso_account' AS matched_by, 'person' AS resolved_to,
        a.id, CAST(NULL AS VARCHAR) AS company_id, 1.0 / a.candidates AS confidence, a.candidates
    FROM seen AS s
    JOIN accounts AS a ON a.login = s.identity AND a.position = 1
    WHERE s.system = 'sso'
    UNION ALL
    SELECT s.system, s.kind, s.identity, 2, 'mailmap', 'person', p.person_id, CAST(NULL AS VARCHAR),
        0.95 / GREATEST(p.candidates, m.candidates), GREATEST(p.candidates, m.candidates)
    FROM seen AS s
    JOIN mailmapped AS m ON m.identity = s.identity AND m.mapped <> s.identity
    JOIN person_addresses AS p ON p.address = m.mapped AND p.known_by = 'sso_email'
    WHERE s.system = 'version_control'
    UNION ALL
    SELECT s.system, s.kind, s.identity, 3, p.known_by, 'person', p.person_id, CAST(NULL AS VARCHAR),
        p.confidence, p.candidates
    FROM seen AS s
    JOIN person_addresses AS p ON p.address = s.identity AND p.known_by <> 'local_part_in_our_domain'
    UNION ALL
    SELECT s.system, s.kind, s.identity, 4, 'shared_mailbox', 'shared', CAST(NULL AS VARCHAR),
        CAST(NULL AS VARCHAR), 1.0, 1
    FROM seen AS s
    JOIN shared AS h ON h.address = s.identity
    UNION ALL
    SELECT s.system, s.kind, s.identity, 5, 'plus_address', 'person', p.person_id, CAST(NULL AS VARCHAR),
        0.9 / p.candidates, p.candidates
    FROM seen AS s
    JOIN person_addresses AS p ON p.address = s.base_address AND p.known_by <> 'local_part_in_our_domain'
    WHERE s.base_address <> s.identity
    UNION ALL
    SELECT s.system, s.kind, s.identity, 6, 'plus_address', 'shared', CAST(NULL AS VARCHAR),
        CAST(NULL AS VARCHAR), 0.9, 1
    FROM seen AS s
    JOIN shared AS h ON h.address = s.base_address
    WHERE s.base_address <> s.identity
    UNION ALL
    SELECT s.system, s.kind, s.identity, CASE k.known_as WHEN 'contact' THEN 7 ELSE 8 END,
        k.known_as || '_email', k.known_as, k.id, k.company_id, 1.0 / k.candidates, k.candidates
    FROM seen AS s
    JOIN known AS k ON k.address = s.identity AND k.position = 1
    UNION ALL
    SELECT s.system, s.kind, s.identity, CASE k.known_as WHEN 'contact' THEN 9 ELSE 10 END,
        'plus_address', k.known_as, k.id, k.company_id, 0.9 / k.candidates, k.candidates
    FROM seen AS s
    JOIN known AS k ON k.address = s.base_address AND k.position = 1
    WHERE s.base_address <> s.identity
    UNION ALL
    SELECT s.system, s.kind, s.identity, 11, p.known_by, 'person', p.person_id, CAST(NULL AS VARCHAR),
        p.confidence, p.candidates
    FROM seen AS s
    JOIN person_addresses AS p ON p.address = s.base_address AND p.known_by = 'local_part_in_our_domain'
),
best AS (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY system, kind, identity ORDER BY place) AS position
    FROM matches
)
SELECT
    s.system,
    s.kind,
    s.identity,
    s.base_address,
    s.name,
    COALESCE(b.resolved_to, 'unresolved') AS resolved_to,
    CASE WHEN b.resolved_to = 'person' THEN b.id END AS person_id,
    CASE WHEN b.resolved_to = 'contact' THEN b.id END AS contact_id,
    b.company_id,
    b.matched_by,
    CAST(COALESCE(b.confidence, 0) AS DOUBLE) AS confidence,
    COALESCE(b.candidates, 0) AS candidates,
    s.first_seen_at,
    s.last_seen_at,
    s.times
FROM seen AS s
LEFT JOIN best AS b
    ON b.system = s.system AND b.kind = s.kind AND b.identity = s.identity AND b.position = 1
