"""Webhooks that leat sends: what happened, signed, to the endpoints of ``quality/webhooks.yaml``.

::

    warehouse, control store --events--> messages --outbox--> endpoint

``events`` reads what happened, ``deliver`` has what sends a message, ``signing`` what signs it. The outbox does the
rest: a message is written down before it is sent, and is sent again until the endpoint has accepted it or it is given
up.
"""
