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
        m.entry ->> 'value' AS email,
        COALESCE(c.archived, FALSE) AS archived
    FROM crm_accounting.contacts AS c
    CROSS JOIN JSONB_ARRAY_ELEMENTS(c.mechanisms) AS m(entry)
    WHERE c._deleted_at IS NULL AND m.entry ->> 'kind' = 'email'
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
        m.entry ->> 'value' AS email,
        NOT COALESCE(u.active, TRUE) AS archived
    FROM sso.users AS u
    CROSS JOIN JSONB_ARRAY_ELEMENTS(u.emails) AS m(entry)
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
