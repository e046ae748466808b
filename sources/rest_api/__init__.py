"""Any REST API: its endpoints, pages, keys and credentials declared in YAML, read without code.

The streams are the user's: each entry of ``connection.endpoints`` is one (:mod:`declared`). Records are cut out
of the server's bytes without being parsed, and become Arrow a column at a time (:mod:`tables`); a record that doesn't
fit its columns is quarantined alone.
"""
