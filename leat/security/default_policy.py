"""What each role may do in a project without ``policies/``."""

from __future__ import annotations

from leat.security.policy import Policy, Selector, permit
from leat.security.resource import VERBS

_PERSONAL = frozenset({"personal"})

DEFAULT_POLICY = Policy(
    (
        permit(
            "default: viewers see everything but personal data",
            "viewer",
            ["read"],
            Selector(
                kinds=frozenset(
                    {
                        "overview",
                        "integration",
                        "stream",
                        "column",
                        "model",
                        "rule",
                        "violation",
                        "run",
                        "report",
                        "catalog",
                        "action",
                        "automation",
                    }
                ),
                without=_PERSONAL,
            ),
        ),
        permit(
            "default: people manage their own tokens and sessions",
            "viewer",
            ["read", "administer"],
            Selector(kinds=frozenset({"token", "session"}), own=True),
        ),
        permit(
            "default: people see their own account", "viewer", ["read"], Selector(kinds=frozenset({"person"}), own=True)
        ),
        permit(
            "default: analysts see personal data",
            "analyst",
            ["read"],
            Selector(kinds=frozenset({"stream", "column", "model", "rule", "violation", "report", "action"})),
        ),
        permit(
            "default: analysts query and export",
            "analyst",
            ["read", "query", "export"],
            Selector(kinds=frozenset({"stream", "column", "model", "violation", "report", "query", "action"})),
        ),
        permit(
            "default: analysts acknowledge violations",
            "analyst",
            ["acknowledge"],
            Selector(kinds=frozenset({"violation"})),
        ),
        permit("default: analysts plan actions", "analyst", ["plan"], Selector(kinds=frozenset({"action"}))),
        permit(
            "default: operators see everything that runs",
            "operator",
            ["read"],
            Selector(kinds=frozenset({"hook", "endpoint", "dagster", "policy"})),
        ),
        permit("default: operators load and publish", "operator", ["run", "publish"]),
        permit("default: operators decide on actions", "operator", ["approve", "stop"]),
        permit(
            "default: operators configure automations and hooks",
            "operator",
            ["configure"],
            Selector(kinds=frozenset({"automation", "hook", "endpoint"})),
        ),
        permit("default: administrators may do everything", "admin", VERBS),
    )
)
