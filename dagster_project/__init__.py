"""Compiles declarations, models and rules into Dagster definitions, and tells Dagster what the command line did."""
