"""Any REST API: its endpoints, pages, keys and credentials declared in YAML, read without code.

The streams are the user's: each entry of ``connection.endpoints`` is one (:mod:`declared`). JSON goes from the server's
bytes to Arrow by DuckDB, without a Python object per record (:mod:`tables`); a record that doesn't fit its columns is
quarantined alone.
"""
