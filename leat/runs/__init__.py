"""One run from start to alert: the only door for the command line, Dagster and the API."""
