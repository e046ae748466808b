"""Any REST API: its endpoints, pages, keys, credentials and actions declared in YAML, without code.

The streams are the user's: each entry of ``connection.endpoints`` is one. Records are cut out of the server's bytes
without being parsed, and become Arrow a column at a time; a record that doesn't fit its columns is quarantined alone.

A room imports only from rooms below its own::

    http/         the driver: ``Connection``, ``setup_tests``, ``extract``, ``sample``; and what it can do, ``actions``
    preview/      first pages of an endpoint without columns, and what to declare for it
    diagnostics/  mistakes in a declaration that its types don't show
    acting/       declared actions: their parameters and requests; planned, sent, searched for, confirmed, undone
    reading/      what is new since the last run, whole lists, the lists below each parent, and the events of a load
    pages/        requests of a list, its pages in order, and the proof that they are all
    rows/         records to rows: fields, values, times, Arrow tables
    answers/      one answer: its format, the list of records in it, and its marks of more pages
    declaration/  endpoints, columns, formats and paging styles as a user declares them
"""
