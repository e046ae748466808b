"""Which route a problem takes: the first one whose given keys all match."""

from __future__ import annotations

from fnmatch import fnmatchcase

from leat.quality.alerts.declaration import Alerts, Route
from leat.quality.alerts.problem import Problem


def route_of(alerts: Alerts, problem: Problem) -> Route:
    """Return the route of a problem; one to the default channels when none matches."""
    for route in alerts.routes:
        if _matches(route, problem):
            return route
    return Route(channels=alerts.default)


def _matches(route: Route, problem: Problem) -> bool:
    if route.rule and not (
        problem.kind == "violation" and any(fnmatchcase(problem.subject, pattern) for pattern in route.rule)
    ):
        return False
    return (
        (not route.integration or bool({*route.integration} & {*problem.integrations}))
        and (not route.owner or problem.owner in route.owner)
        and (not route.severity or problem.severity in route.severity)
        and (not route.kind or problem.kind in route.kind)
    )
