"""What goes wrong with keys, and says what to do."""

from __future__ import annotations

from leat.warehouse.session import WarehouseError


class KeyProblem(WarehouseError):
    """A key isn't there, doesn't fit, or is refused.

    Attributes:
        got: what is wrong.
        next_step: what to do about it.
    """

    def __init__(self, got: str, next_step: str) -> None:
        super().__init__(f"{got}. Next: {next_step}")
        self.got, self.next_step = got, next_step
