"""Compiles declarations, models and rules into Dagster definitions, and reports command line runs to Dagster."""
