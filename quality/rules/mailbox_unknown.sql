/* ---
title: Every mailbox belongs to a user of the identity provider, or is declared shared
description: >-
  The login of a mail account belongs to no account of the identity provider, not even to a deactivated or deleted
  one. Often it belongs to somebody who left before there was an identity provider, or to several people or a program:
  declare that with connection.shared. An account without mail counts once it was loaded longer ago than the
  tolerance, any other account once its oldest mail is older than that.
next_step: >-
  Ask who reads it. Name it under connection.shared in pipelines/email.yaml, create an account for its owner, or close
  it.
severity: warn
owner: people
key: [account]
sides:
  email: [mailboxes, messages, oldest_message_at, newest_message_at]
  sso: [identity_provider]
needs: [sso]
tolerance: {settle: P2D}
--- */
WITH mailboxes AS (
    SELECT
        account,
        COUNT(*) AS mailboxes,
        MIN(_synced_at) AS loaded_at
    FROM email.mailboxes
    WHERE _deleted_at IS NULL
    GROUP BY account
)
SELECT
    b.account,
    b.mailboxes,
    i.times AS messages,
    i.first_seen_at AS oldest_message_at,
    i.last_seen_at AS newest_message_at,
    'no account has this address' AS identity_provider
FROM mailboxes AS b
JOIN identities AS i ON i.system = 'email' AND i.kind = 'mailbox' AND i.identity = LOWER(TRIM(b.account))
WHERE i.resolved_to NOT IN ('person', 'shared')
    AND COALESCE(i.first_seen_at, b.loaded_at) < $now - $settle
