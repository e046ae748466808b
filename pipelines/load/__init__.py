"""One load of one integration: extract, land, apply, check.

From start to end, and at each step what it needs::

    run            integrations side by side, each with retries
    integration    the life of one integration in a run
      engine         what every run needs, and what is asked of one
      plan           what one load needs: what to read and from where on, how its rows are applied
      state          leat's own tables, read and written
      writing        the transactions that may write at the same time as others
      totals         what the loads of a run have done so far
      results        what a run did, as plain data
    extract        what the driver yields, to the landing
      event_log      rows by stream, everything else as events
      conversion     the declared columns in their types (casting); personal ones hashed with mask_key
      forgetting     without people who were erased
      encrypting     or encrypted as cells, with the column_key of the warehouse; reencrypt changes that,
                     sealed_texts reads and changes single values
      landing        the files of one load; large ones by dlt, with the settings of dlt_settings
    commit         one transaction, again without the streams that fail
      apply          a landed load: all streams, cursor, log
      landed_events  its events other than rows, by what they mean
      apply_stream   one stream: staging, merge, superseded versions, deletes
      quarantine     broken records; quarantine_share stops a stream that has too many
      drift          fields that came or went
      stream_failures  which errors one stream may be blamed for
      checking       checks of the tables, before the commit

Tables: table_schema (stored and declared), table_changes (from one to the other), rebuild (where that can't be),
retention (how long rows stay), held_rows (whose stay longer), as_of (a table as it was), system_tables (the schema
``leat``), readable_tables (what queries may read).

After a load: freshness, watermark (whether models and rules are up to date), verdict (whether readers may have it).
For people: preview, quarantined (what is in the quarantine), error_message.
"""
