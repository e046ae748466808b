"""HTTP for every integration that speaks it: one client, its retries, its rate budget, and a record of each call.

Requests: client (one server: one answer or one error), request (a request and its answer), exchange (one exchange, to
its end), concurrency (several at a time), backoff (when to retry), budget (the rate limit of a credential), calls (the
record of each), failures (a status as an error), headers and validators (what an answer says of limits, and whether it
has changed), multistatus and safe_xml (answers of WebDAV, and any XML).

Connections: address (where a URL leads), lookup (whom a connection may dial), dialling (with a deadline).

Credentials: auth and auth_requests (the ``auth:`` block), credentials (what a client needs of any), signers (in each
request), sigv4 (AWS), tokens (that expire), oauth and grants (OAuth 2), logins (a session, or a token of the vendor's).
"""
