/* ---
description: >-
  Every mail address that the CRM or the identity provider has for somebody: all addresses of contacts, those of
  companies, and those of users. There is one row for each address of each of them, archived ones included.
owners: [sales]
optional: [crm_accounting, sso]
columns:
  known_as: contact, company, or user (of the identity provider).
  id: The contact, company or user.
  company_id: The company of a contact; crm_accounting.companies.company_id.
  name: Name of the contact, company or user.
  email: The address, lower case.
  plain_email: The same without what follows a plus sign before the @, for both reach one mailbox.
  archived: Whether the CRM has put the record aside, or the user may not sign in.
checks:
  - unique: [known_as, id, email]
  - not_null: [known_as, id, email, plain_email, archived]
  - accepted_values: {known_as: [contact, company, user]}
--- */
WITH told AS (
    SELECT
        'contact' AS known_as,
        contact_id AS id,
        company_id,
        name,
        email,
        COALESCE(archived, FALSE) AS archived
    FROM crm_accounting.contacts
    WHERE _deleted_at IS NULL
    UNION ALL
    SELECT
        'contact' AS known_as,
        c.contact_id AS id,
        c.company_id,
        c.name,
        CAST(m.entry AS JSON) ->> '$.value' AS email,
        COALESCE(c.archived, FALSE) AS archived
    FROM crm_accounting.contacts AS c
    CROSS JOIN UNNEST(CAST(c.mechanisms AS JSON[])) AS m(entry)
    WHERE c._deleted_at IS NULL AND CAST(m.entry AS JSON) ->> '$.kind' = 'email'
    UNION ALL
    SELECT
        'company' AS known_as,
        company_id AS id,
        company_id,
        name,
        email,
        COALESCE(archived, FALSE) AS archived
    FROM crm_accounting.companies
    WHERE _deleted_at IS NULL
    UNION ALL
    SELECT
        'user' AS known_as,
        id,
        CAST(NULL AS VARCHAR) AS company_id,
        COALESCE(display_name, formatted_name, user_name) AS name,
        email,
        NOT COALESCE(active, TRUE) AS archived
    FROM sso.users
    WHERE _deleted_at IS NULL
    UNION ALL
    SELECT
        'user' AS known_as,
        u.id,
        CAST(NULL AS VARCHAR) AS company_id,
        COALESCE(u.display_name, u.formatted_name, u.user_name) AS name,
        CAST(m.entry AS JSON) ->> '$.value' AS email,
        NOT COALESCE(u.active, TRUE) AS archived
    FROM sso.users AS u
    CROSS JOIN UNNEST(CAST(u.emails AS JSON[])) AS m(entry)
    WHERE u._deleted_at IS NULL
)
SELECT
    known_as,
    id,
    MIN(company_id) AS company_id,
    MIN(name) AS name,
    LOWER(TRIM(email)) AS email,
    REGEXP_REPLACE(LOWER(TRIM(email)), '[+][^@]*@', '@') AS plain_email,
    BOOL_OR(archived) AS archived
FROM told
WHERE email LIKE '%_@_%'
GROUP BY known_as, id, LOWER(TRIM(email))
