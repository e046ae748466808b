"""Dagster's UI behind leat's sign-in: the part in the web process.

::

    browser ── front ── routes ── requests   HTTP, over the socket of Dagster's process
                          │    └─ stream     WebSocket, for live logs
                          ├─ rights          who may see it, and who may change something
                          └─ process         the other end of the socket: whether it is there, and asking for it

The process itself is :mod:`leat.dagster_project.ui`; which mutations pass says :mod:`leat.runs.dagster_graphql`.
"""
