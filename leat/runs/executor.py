"""Where `leat serve` runs integrations: on its own machine, or as jobs of a Ray cluster."""

from __future__ import annotations

from functools import partial

from leat.runs.requests import Execute
from leat.runs.run import run


def executor(on: str | None) -> Execute:
    """Return what runs integrations.

    Args:
        on: the dashboard of a Ray cluster; None for this machine.

    Raises:
        RayError: that is no address.
    """
    if on is None:
        return partial(run, trigger="serve")
    from leat.runs.on_ray.jobs import Jobs
    from leat.runs.on_ray.run import run_on

    return partial(run_on, Jobs(on), trigger="serve")
