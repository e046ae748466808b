"""All pages: each router is one entry of the menu, but for that of sign-in."""

from __future__ import annotations

from leat.serve.pages import (
    actions,
    adding,
    audit,
    automations,
    catalog,
    dagster,
    endpoints,
    integrations,
    overview,
    people,
    preferences,
    query,
    reports,
    runs,
    sign_in,
    violations,
    webhooks,
)

PAGES = (
    sign_in.router,
    overview.router,
    reports.router,
    query.router,
    catalog.router,
    violations.router,
    automations.router,  # before actions, because its path looks like an action
    actions.router,
    adding.router,
    integrations.router,
    runs.router,
    endpoints.router,  # before webhooks, because its path looks like a number of one
    webhooks.router,
    dagster.router,
    people.router,
    audit.router,
    preferences.router,
)
