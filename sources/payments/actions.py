"""What can be done about payments: refund, capture or cancel a payment, and verify that one is as expected.

Amounts are integers in the minor unit of ISO 4217, as in the streams. Whatever moves money needs a second person. How
much may be given back is asked of the provider when an action is planned and again when it is sent, so that never more
than what is left is refunded.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from leat.sources.actions import Parameters, Verb
from leat.sources.money import exponent


def _whole(value: Any) -> Any:
    if isinstance(value, bool | float):
        msg = "write a whole number of minor units: 1200 for 12.00 EUR, 500 for 500 JPY"
        raise ValueError(msg)
    return value


def _currency(value: Any) -> Any:
    if isinstance(value, str):
        exponent(value)
        return value.upper()
    return value


Amount = Annotated[int, BeforeValidator(_whole), Field(gt=0, le=99_999_999_999)]
Sum = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=99_999_999_999)]
Currency = Annotated[str, BeforeValidator(_currency)]
Id = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9_-]+$")]
Reason = Literal["duplicate", "fraudulent", "requested_by_customer"]


class OfCharge(Parameters):
    """Names a charge, by its own id or by that of its payment."""

    charge: Id | None = Field(default=None, description="Id of the charge, for example ch_1; or give payment_intent.")
    payment_intent: Id | None = Field(
        default=None, description="Id of the payment, for example pi_1: names its latest charge."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.charge is None) == (self.payment_intent is None):
            msg = "give either charge or payment_intent"
            raise ValueError(msg)
        return self


class Refund(OfCharge):
    """What to refund."""

    amount: Amount | None = Field(
        default=None,
        description="How much, in minor units: 1200 for 12.00 EUR, 500 for 500 JPY; by default all that is left.",
    )
    currency: Currency | None = Field(
        default=None, description="The currency you expect, for example EUR; leat refuses a charge in another one."
    )
    reason: Reason | None = Field(
        default=None, description="Why. `fraudulent` also puts card and e-mail address on the provider's block list."
    )


class Capture(Parameters):
    """What to capture."""

    payment_intent: Id = Field(description="Id of the authorised payment, for example pi_1.")
    amount: Amount | None = Field(
        default=None, description="How much, in minor units; by default all that is authorised. The rest is released."
    )
    currency: Currency | None = Field(
        default=None, description="The currency you expect, for example EUR; leat refuses a payment in another one."
    )


class Cancel(Parameters):
    """What to cancel."""

    payment_intent: Id = Field(description="Id of the payment that isn't captured yet, for example pi_1.")
    reason: Literal["abandoned", "duplicate", "fraudulent", "requested_by_customer"] | None = Field(
        default=None, description="Why."
    )


class Verify(OfCharge):
    """What is expected of a payment."""

    amount: Sum | None = Field(default=None, description="How much was captured, in minor units.")
    currency: Currency | None = Field(default=None, description="In which currency, for example EUR.")
    status: str = Field(default="succeeded", description="The status of the charge.", min_length=1, max_length=64)
    refunded: Sum | None = Field(default=None, description="How much of it was refunded, in minor units.")


VERBS = (
    Verb(
        "refund",
        "Refund what is left of a charge, in whole or in part.",
        Refund,
        "guarded",
        "read access to charges, payment intents, refunds and disputes; write access to refunds (charges)",
        "It can't be undone: the payer would have to pay again.",
        money=True,
    ),
    Verb(
        "capture",
        "Capture an authorised payment, in whole or in part; the rest is released.",
        Capture,
        "guarded",
        "read and write access to payment intents",
        "By `refund`, as an action of its own; leat proposes it for the amount that was captured.",
        money=True,
    ),
    Verb(
        "cancel",
        "Cancel a payment that isn't captured yet, and release the money that it holds.",
        Cancel,
        "guarded",
        "read and write access to payment intents",
        "It can't be undone: the payer would have to pay again.",
        money=True,
    ),
    Verb(
        "verify",
        "Read a payment again and compare it with what you expect; changes nothing.",
        Verify,
        "natural",
        "read access to charges, payment intents and refunds",
        "It changes nothing, so there is nothing to undo.",
    ),
)
