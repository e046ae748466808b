"""Single sign-on: who may sign in, which groups and roles they are in, which applications they use, who signed in.

The driver ``scim`` reads users and groups by SCIM 2.0 (RFC 7643, RFC 7644), which many identity providers speak. SCIM
knows no applications, sessions or sign-ins, so the driver has optional further inputs, named for the vendor whose
format they are: ``canaille_log`` and ``canaille_database``. They are inputs of one driver and not a driver of their
own, because one declaration, and with it one cursor and one transaction, then holds users together with their
sessions. A vendor that has an API for everything (Okta, Keycloak) gets a driver of its own for the same streams; one
that speaks SCIM and has something else gets one more input.

Quirks of servers: a filter may be ignored in silence, so one is believed only when its answer proves that it was
honoured; ``totalResults`` and ``itemsPerPage`` may be wrong, so a listing ends where nothing new comes back; Canaille
answers 500 to ``count``, names members of a group by their login and not by their id, and can't say when somebody was
added to one. A user who is deactivated stays, with ``active`` false; one who is deleted gets ``_deleted_at``.

Scopes needed: reading users and groups by SCIM; for Canaille a client with the grant ``client_credentials``, the right
to read the security log, and for the database SELECT on ``client``, ``consent``, ``token``, ``user`` and
``webauthn_credential``. Loads read no password, secret or token from them; an action that ends a session reads its
token at that moment.
"""
