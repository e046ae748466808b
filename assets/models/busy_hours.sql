/* ---
description: >-
  When events begin, by weekday and hour in their own time zone. All-day and cancelled events, and those that don't
  block time, are left out.
owners: [people]
columns:
  weekday: Day of the week, 1 for Monday to 7 for Sunday (ISO 8601).
  hour: Hour of the day in which they begin, 0 to 23.
  events: How many times events begin in that hour; an event that is in several calendars counts once.
  minutes: Their length together, in minutes.
checks:
  - unique: [weekday, hour]
  - range: {weekday: {min: 1, max: 7}, hour: {min: 0, max: 23}, minutes: {min: 0}}
--- */
WITH happening AS (
    SELECT
        uid,
        occurrence_id,
        MIN(starts_local) AS starts_local,
        MAX(CAST(EXTRACT(EPOCH FROM ends_at - starts_at) AS DOUBLE) / 60) AS minutes
    FROM calendar.occurrences
    WHERE _deleted_at IS NULL
        AND COALESCE(status, 'CONFIRMED') <> 'CANCELLED'
        AND COALESCE(transparency, 'OPAQUE') <> 'TRANSPARENT'
        AND NOT all_day
        AND starts_local IS NOT NULL
    GROUP BY uid, occurrence_id
)
SELECT
    CAST(EXTRACT(ISODOW FROM starts_local) AS BIGINT) AS weekday,
    CAST(EXTRACT(HOUR FROM starts_local) AS BIGINT) AS hour,
    COUNT(*) AS events,
    CAST(COALESCE(SUM(minutes), 0) AS DOUBLE) AS minutes
FROM happening
GROUP BY CAST(EXTRACT(ISODOW FROM starts_local) AS BIGINT), CAST(EXTRACT(HOUR FROM starts_local) AS BIGINT)
