"""The API ``/v1``: routes that ask for access, and no logic of their own.

guard authenticates and asks for access; idempotency answers a repeated POST, etag leaves out what the caller has and
refuses decisions on what has changed; paging cuts lists; models, catalog_models and endpoint_models are what is
answered. Routes: me (also tokens, audit), integrations, runs, violations, actions, automations, catalog, queries,
webhooks, endpoints, people.
"""
