"""The warehouse on a server: Postgres."""
