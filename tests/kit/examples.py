"""How many examples a property is tried with: 100 by default, as many as ``LEAT_EXAMPLES`` says at night."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture)
settings.register_profile("leat", deadline=None, suppress_health_check=_SLOW, database=None)
"""Of every property: a machine that is busy makes none fail."""


def examples(share: float = 1, largest: int | None = None) -> settings:
    """Return the settings of a property-based test: no deadline, and nothing written to the checkout.

    Args:
        share: of the number of examples, for a property that is dear or cheap to try.
        largest: how many examples at most.
    """
    count = number_of(share)
    number = min(count, largest) if largest else count
    return settings(max_examples=number, deadline=None, suppress_health_check=_SLOW, database=None)


def number_of(share: float) -> int:
    """Return a share of the number of examples, at least 1: how often a test repeats what is random."""
    return max(1, int(int(os.environ.get("LEAT_EXAMPLES", "100")) * share))
