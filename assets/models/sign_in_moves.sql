/* ---
description: >-
  Two consecutive sign-ins of an account from different networks: the sign of impossible travel. A place needs
  country, latitude and longitude in the provider's record, where they are in extra. Canaille's log has none, so there
  only the time in between is available. leat doesn't guess places from addresses.
owners: [security]
columns:
  event_id: The later of the two.
  user_id: The account.
  from_at: When it signed in before.
  from_ip: From which address.
  from_country: From which country, as the provider says; null where it doesn't.
  to_at: When it signed in again.
  to_ip: From which address.
  to_country: From which country, as the provider says; null where it doesn't.
  minutes: Minutes between.
  kilometres: Great-circle distance, in whole kilometres; null unless both places are recorded.
  kilometres_per_hour: >-
    Speed that the way takes, in whole kilometres per hour, with a minute as the shortest time; null without a distance.
  is_impossible: >-
    Whether it is 500 kilometres or more at 1000 kilometres per hour or more; null without a distance.
  is_quick: Whether both are within an hour, which deserves a look if places are missing.
checks:
  - unique: [event_id]
  - not_null: [event_id, user_id, from_at, to_at, is_quick]
  - range: {minutes: {min: 0}, kilometres: {min: 0, max: 20100}}
--- */
WITH told AS (
    SELECT
        id,
        CAST(extra AS JSON) ->> 'country' AS country,
        CAST(extra AS JSON) ->> 'latitude' AS latitude,
        CAST(extra AS JSON) ->> 'longitude' AS longitude
    FROM sso.login_events
    WHERE _deleted_at IS NULL AND kind = 'login' AND success AND extra IS NOT NULL
),
places AS (
    SELECT
        id,
        country,
        CASE
            WHEN REGEXP_MATCHES(latitude, '^-?[0-9]{1,2}([.][0-9]+)?$')
                AND REGEXP_MATCHES(longitude, '^-?[0-9]{1,3}([.][0-9]+)?$')
                THEN RADIANS(CAST(latitude AS DOUBLE))
        END AS latitude,
        CASE
            WHEN REGEXP_MATCHES(latitude, '^-?[0-9]{1,2}([.][0-9]+)?$')
                AND REGEXP_MATCHES(longitude, '^-?[0-9]{1,3}([.][0-9]+)?$')
                THEN RADIANS(CAST(longitude AS DOUBLE))
        END AS longitude
    FROM told
),
entered AS (
    SELECT
        id,
        user_id,
        occurred_at,
        ip,
        network,
        LAG(id) OVER (PARTITION BY user_id ORDER BY occurred_at, id) AS before_id,
        LAG(occurred_at) OVER (PARTITION BY user_id ORDER BY occurred_at, id) AS before_at,
        LAG(ip) OVER (PARTITION BY user_id ORDER BY occurred_at, id) AS before_ip,
        LAG(network) OVER (PARTITION BY user_id ORDER BY occurred_at, id) AS before_network
    FROM sign_ins
    WHERE success AND user_id IS NOT NULL AND ip IS NOT NULL
),
moves AS (
    SELECT
        e.*,
        -- To the millisecond: one engine keeps seconds as a float, the other as a decimal number.
        CAST(ROUND((EXTRACT(EPOCH FROM e.occurred_at) - EXTRACT(EPOCH FROM e.before_at)) * 1000) AS DOUBLE) / 60000
            AS minutes,
        b.country AS before_country,
        a.country,
        -- The haversine formula, on a sphere of 6371 km.
        CASE
            WHEN a.latitude IS NOT NULL AND b.latitude IS NOT NULL
                THEN 2 * 6371 * ASIN(SQRT(LEAST(
                    1.0,
                    POWER(SIN((a.latitude - b.latitude) / 2), 2)
                        + COS(a.latitude) * COS(b.latitude) * POWER(SIN((a.longitude - b.longitude) / 2), 2)
                )))
        END AS kilometres
    FROM entered AS e
    LEFT JOIN places AS a ON a.id = e.id
    LEFT JOIN places AS b ON b.id = e.before_id
    WHERE e.before_network <> e.network
),
measured AS (
    SELECT
        *,
        CAST(FLOOR(kilometres + 0.5) AS BIGINT) AS whole,
        CAST(FLOOR(kilometres * 60 / CASE WHEN minutes < 1 THEN 1 ELSE minutes END + 0.5) AS BIGINT) AS speed
    FROM moves
)
SELECT
    id AS event_id,
    user_id,
    before_at AS from_at,
    before_ip AS from_ip,
    before_country AS from_country,
    occurred_at AS to_at,
    ip AS to_ip,
    country AS to_country,
    minutes,
    whole AS kilometres,
    speed AS kilometres_per_hour,
    whole >= 500 AND speed >= 1000 AS is_impossible,
    minutes <= 60 AS is_quick
FROM measured
