"""The external systems: one folder each, with the streams of that kind of system and one driver per vendor.

A source knows nothing of Dagster, of dlt or of the warehouse. It reads a system and yields events
(:mod:`leat.sources.events`); the engine lands and applies them.

stream is a table that a source delivers, driver what its modules offer, errors what they raise. batch makes rows of
records, multi_batch of several streams, by the rules of domain and column_domain; money, json_path and json_raw read
values. settings names secrets, setup_tests tries a connection, sample is for a preview. sidecar and held are what a
driver remembers, retry how long it waits, egress to which hosts it may connect. actions and templates are for what is
sent. Of people: personal_data (suggests marks), subject (which columns identify somebody), identity
(how people write who somebody is), tombstones (who is erased).
"""
