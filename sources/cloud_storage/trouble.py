"""Buckets that can't be read: each fails alone, unless it is the server that fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from leat.sources.errors import IntegrationError, NotConfigured, Transient, Unauthenticated

Result = TypeVar("Result")


@dataclass(slots=True)
class Trouble:
    """What has failed so far.

    Attributes:
        failed: buckets, and why they can't be read.
        in_a_row: how many failed one after the other by an error that may pass.
    """

    failed: dict[str, IntegrationError] = field(default_factory=dict)
    in_a_row: int = 0

    def tried(self, bucket: str, work: Callable[[], Result]) -> Result | None:
        """Return the result of some work on a bucket; None when that fails, which is noted.

        Raises:
            IntegrationError: it isn't about this bucket: the credentials, or the second server's failure in a row.
        """
        try:
            result = work()
        except (NotConfigured, Unauthenticated):
            raise
        except IntegrationError as error:
            self.in_a_row = self.in_a_row + 1 if isinstance(error, Transient) else 0
            if self.in_a_row > 1:
                raise
            self.failed[bucket] = error
            return None
        self.in_a_row = 0
        return result

    def check(self, count: int) -> None:
        """Raise the first error when none of so many buckets could be read."""
        if self.failed and len(self.failed) >= count:
            raise next(iter(self.failed.values()))
