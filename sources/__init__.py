"""The external systems: one folder each, with the streams of that kind of system and one driver per vendor.

A source knows nothing of Dagster, of dlt or of the warehouse. It reads a system and yields events
(:mod:`leat.sources.events`); the engine lands and applies them.
"""
