"""``leat serve``: the dashboard, webhooks, the API and the work of schedules, as processes of one command.

::

    supervisor ── owns the listening socket, restarts what ends
      ├── web       front ── /hooks/*  appended to segments on disk, then acknowledged
      │                 └── the rest   FastAPI: health, API, pages for people
      └── worker    schedules, webhooks to tables, refetches, actions, alerts: all through leat.runs

options are those of the command; child is what web and worker have in common; current is the project as it is
declared now. Web: protocol speaks HTTP, front sees each request first, hooks takes webhooks, links those of mails,
app is the rest, with session, limits, problem (errors), unavailable, openapi, reference (its page), answers (given
again while nothing changes), turns (one of many does it), recent (what was read a moment ago) and query (a process of
its own). drain ends it without a failed request. Worker: lane is a thread that runs integrations. Both: health,
metrics with saturation, logs, traces.
"""
