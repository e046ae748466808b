"""The dashboard: pages for people, rendered on the server, on top of what the API does.

A page calls the operations of :mod:`leat.serve.api`, so that it shows and permits what they do and nothing else. Pages
need no JavaScript, except for what is live.

::

    route.py      who asks, the error page, the headers
    render.py     pages from templates; filters.py times in the reader's zone, badges, numbers
    charts.py     charts as SVG; units.py writes their numbers, csv_file.py lists as files, form.py reads forms
    contents.py   the catalog of the warehouse; rules.py the files of rules; evidence.py the evidence of violations
    sign_in.py    identity provider, one-time link, sign-out
    menu.py       all pages
    live.py       parts of pages as server-sent events
    connection_form.py, draft_form.py   forms of a driver's settings, and the declarations that they make
    templates/    Jinja2
    assets/       style sheet, scripts; htmx as its project published it (0BSD, htmx-LICENSE.txt)

The pages: overview, reports (figures computes what they show), query (query_error says where a mistake is), catalog,
violations, actions, automations, integrations, adding, runs, webhooks, endpoints, dagster, people, audit, preferences.
"""
