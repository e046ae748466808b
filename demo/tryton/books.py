"""An open Tryton database of the demo company, and what was put into it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from leat.demo.story import Story
from leat.sources.money import exponent


@dataclass
class Books:
    """The models of an open database, and what was made so far by the story's own keys."""

    pool: Any
    story: Story
    parties: dict[str, Any] = field(default_factory=dict)
    products: dict[str, Any] = field(default_factory=dict)

    def one(self, model: str, *domain: Any) -> Any:
        """Return the first record that fits."""
        return self.pool.get(model).search(list(domain), limit=1)[0]

    def make(self, model: str, /, **values: Any) -> Any:
        """Return a new record, saved."""
        return self.pool.get(model).create([values])[0]

    def account(self, flag: str) -> Any:
        """Return the account of a kind."""
        return self.one("account.account", (f"type.{flag}", "=", True), ("closed", "!=", True))


def whole(minor: int, currency: str) -> Decimal:
    """Return an amount in minor units in whole ones."""
    return Decimal(minor).scaleb(-exponent(currency))


def sql(statement: str, *values: Any) -> None:
    """Change what Tryton stamps with today: for a story that is older."""
    from trytond.transaction import Transaction  # type: ignore[import-untyped]

    Transaction().connection.cursor().execute(statement, values)
