/* ---
description: >-
  When people write mail: messages by sender, weekday and hour, in the local time that the sender's program wrote. A
  message in several accounts counts once; messages without a readable time are left out. Zones written as a name are
  read as UTC.
owners: [people]
columns:
  sender: Address of the author, lower case.
  weekday: Day of the week, 1 for Monday to 7 for Sunday (ISO 8601).
  hour: Hour of the day, 0 to 23.
  messages: Messages written in that hour.
checks:
  - unique: [sender, weekday, hour]
  - not_null: [sender, weekday, hour]
  - range: {weekday: {min: 1, max: 7}, hour: {min: 0, max: 23}, messages: {min: 1}}
--- */
WITH written AS (
    SELECT message_key, MIN(from_email) AS sender, MIN(written_at) AS at, MIN(written_zone) AS zone
    FROM email_messages
    WHERE direction = 'out' AND NOT automatic AND from_email IS NOT NULL AND written_at IS NOT NULL
    GROUP BY message_key
),
offsets AS (
    SELECT
        sender,
        at,
        CASE
            WHEN REGEXP_MATCHES(zone, '^[+-][0-9]{4}$')
                THEN (CASE WHEN zone LIKE '-%' THEN -1 ELSE 1 END)
                * (CAST(SUBSTRING(zone, 2, 2) AS INTEGER) * 60 + CAST(SUBSTRING(zone, 4, 2) AS INTEGER))
            ELSE 0
        END AS minutes
    FROM written
),
clocks AS (
    SELECT sender, (at AT TIME ZONE 'UTC') + minutes * INTERVAL '1' MINUTE AS wall_clock FROM offsets
)
SELECT
    sender,
    CAST(EXTRACT(ISODOW FROM wall_clock) AS BIGINT) AS weekday,
    CAST(EXTRACT(HOUR FROM wall_clock) AS BIGINT) AS hour,
    COUNT(*) AS messages
FROM clocks
GROUP BY sender, CAST(EXTRACT(ISODOW FROM wall_clock) AS BIGINT), CAST(EXTRACT(HOUR FROM wall_clock) AS BIGINT)
