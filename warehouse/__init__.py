"""The only door to DuckDB, Postgres and the control store."""
