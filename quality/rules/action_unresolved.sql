/* ---
title: The outcome of every action is certain
description: >-
  An action was sent, or may have been sent, and for too long nobody knows whether it had its effect. In the state
  unknown leat searches for it, in the state asking only a person can find out.
next_step: >-
  `leat actions show ID` says what was sent. Look at the system itself, then `leat actions resolve ID --happened` or
  `--not-happened`; if the system is down, bring it up and run `leat actions send`.
severity: warn
owner: operations
key: [action_id]
needs: [platform]
tolerance: {age: PT1H}
--- */
WITH settled AS (
    SELECT action_id, MAX(id) AS last_id
    FROM platform.action_events
    WHERE _deleted_at IS NULL AND state NOT IN ('sending', 'unknown', 'asking')
    GROUP BY action_id
),
unsettled AS (
    SELECT e.action_id, MIN(e.changed_at) AS since
    FROM platform.action_events AS e
    LEFT JOIN settled AS s ON s.action_id = e.action_id
    WHERE e._deleted_at IS NULL
        AND e.state IN ('sending', 'unknown', 'asking')
        AND e.id > COALESCE(s.last_id, 0)
    GROUP BY e.action_id
)
SELECT
    a.id AS action_id,
    a.integration,
    a.verb,
    a.title,
    a.state,
    a.reason,
    a.attempts,
    a.sent_at,
    u.since,
    a.automation
FROM platform.actions AS a
JOIN unsettled AS u ON u.action_id = a.id
WHERE a._deleted_at IS NULL AND a.state IN ('sending', 'unknown', 'asking') AND u.since < $now - $age
