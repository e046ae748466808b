"""Webhooks: signatures, the segments on disk that make them durable, and the tables that they become.

::

    POST /hooks/payments --verify--> live/<seq>.ndjson --fdatasync--> 200
                                          |
                                          |  apply, deduplicated by the scheme's id
                                          v
                                     hooks.events   on DuckDB a view, over the segments too
"""
