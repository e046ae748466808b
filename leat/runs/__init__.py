"""One run from start to alert: the only door for the command line, Dagster and the API.

workspace is an opened project, file_key encrypts its files. run does load, refresh (with build_models), publish and
notify; result is what it did, recorder records it, warm imports what it needs. Actions: acting, planning (for the API),
automating, slots, suppressing. What happened so far: status, history, health, acknowledge; catalog_entries is what
tables mean. Between runs: between, lost (runs whose process is gone), hooks (webhooks to tables) by server_number,
received_webhooks, webhooks_out (those that leat sends), links, requests (runs that the API was asked for),
request_buckets (how often it may be asked), repeated (requests that are answered again), executor (where `leat serve`
runs: here, or on_ray). setup_tests tries a connection; connecting is for a system that somebody adds in the browser.
Who may do what, and the audit log: access, auditing; callers (of the API), people and signing_in (in browsers),
query_tables (what a query reads), saved_queries. Who may read the warehouse directly: clearance, granting, explaining.
What is encrypted: keys, stored_secrets, data_keys (of columns and files) in encrypted_places; reveal shows what
decryption permits. changes says whether anything has changed since, monitoring how far behind a project is. printable
makes text fit for a terminal. Processes: lifeline ends one with its parent, core_files are what none leaves, json_log
is their log; dagster_process is where web and Dagster's UI meet, dagster_graphql what passes there.
"""
