"""What the demo company sells, to whom, what was ordered and paid, and what customers asked.

Money is in minor units of its currency (ISO 4217): 8900 EUR are 89.00 euros, 12000 JPY are 12,000 yen, 45500 KWD are
45.500 dinars. An order's number links its traces: ``order`` in a charge's metadata and in its description
(``Order 1001``), the reference of the invoice, the subject of the receipt (``Receipt for order 1001``), the name of
the PDF (``invoices/1001.pdf``).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Customer:
    """A company that buys, with the contact who does.

    Attributes:
        key: what orders call it.
        name: name of the company.
        contact: name of the contact.
        email: address of the contact.
        country: ISO 3166-1 alpha-2.
        currency: ISO 4217, what it pays in.
        in_crm: whether the CRM knows the contact.
        twice_in_crm: whether the CRM has the contact twice.
        subscribed: number of the product that it has subscribed to.
    """

    key: str
    name: str
    contact: str
    email: str
    country: str
    currency: str
    in_crm: bool = True
    twice_in_crm: bool = False
    subscribed: str | None = None


CUSTOMERS = (
    Customer("acorn", "Acorn Books", "Ada Acorn", "ada@acorn.example", "FR", "EUR", subscribed="CARE"),
    Customer("birch", "Birch & Sons", "Ben Birch", "ben@birch.example", "DE", "EUR"),
    Customer("cedar", "Cedar Hotel", "Céline Cèdre", "celine@cedar.example", "FR", "EUR", subscribed="CARE"),
    Customer("dogwood", "Dogwood Café", "Dora Wood", "dora@dogwood.example", "AT", "EUR", twice_in_crm=True),
    Customer("elm", "Elm Studios", "Eli Elm", "eli@elm.example", "US", "USD"),
    Customer("fir", "Fir Logistics", "Finn Fir", "finn@fir.example", "US", "USD"),
    Customer("ginkgo", "Ginkgo 株式会社", "Goro Ginkgo", "goro@ginkgo.example", "JP", "JPY"),
    Customer("hazel", "Hazel Trading", "Huda Hazel", "huda@hazel.example", "KW", "KWD"),
    Customer("ivy", "Ivy School", "Ines Ivy", "ines@ivy.example", "ES", "EUR"),
    Customer("juniper", "Juniper Bar", "Jan Juniper", "jan@juniper.example", "NL", "EUR"),
    Customer("larch", "Larch Labs", "Lena Larch", "lena@larch.example", "FI", "EUR"),
    Customer("quill", "Quill Press", "Quentin Quill", "quentin@quill.example", "BE", "EUR", in_crm=False),
)


@dataclass(frozen=True, slots=True)
class Product:
    """What is sold: its price by currency, in minor units; ``CARE`` is charged each month."""

    sku: str
    name: str
    prices: tuple[tuple[str, int], ...]
    monthly: bool = False

    def price(self, currency: str) -> int:
        """Return the price in minor units of a currency."""
        return dict(self.prices)[currency]


PRODUCTS = (
    Product("DESK", "Desk lamp", (("EUR", 4900), ("USD", 5500), ("JPY", 8000), ("KWD", 16500))),
    Product("FLOOR", "Floor lamp", (("EUR", 12900), ("USD", 13900), ("JPY", 21000), ("KWD", 43250))),
    Product("BULB", "Bulb, warm white", (("EUR", 790), ("USD", 850), ("JPY", 1250), ("KWD", 2625))),
    Product("CARE", "Lamp care, a month", (("EUR", 1500), ("USD", 1600), ("JPY", 2400), ("KWD", 5000)), monthly=True),
)


@dataclass(frozen=True, slots=True)
class Order:
    """What was bought, and what became of it in each system.

    Attributes:
        number: the order's number.
        customer: key of the customer.
        days_ago: when it was placed and paid.
        lines: number of the product and pieces.
        charged: whether the gateway has a charge.
        declined_first: whether a first attempt was declined.
        charged_twice: whether the gateway charged it a second time.
        refunds: amounts that the gateway gave back.
        disputed: whether the customer disputes the charge.
        invoiced: whether the books have an invoice.
        invoiced_total: what the invoice says when it differs from the order.
        booked: whether the payment is in the books.
        credited: whether the books have credit notes for the refunds.
        receipt: whether a receipt was sent.
        receipt_bounced: whether it came back.
        pdf: whether the storage has the invoice.
    """

    number: int
    customer: str
    days_ago: int
    lines: tuple[tuple[str, int], ...]
    charged: bool = True
    declined_first: bool = False
    charged_twice: bool = False
    refunds: tuple[int, ...] = ()
    disputed: bool = False
    invoiced: bool = True
    invoiced_total: int | None = None
    booked: bool = True
    credited: bool = True
    receipt: bool = True
    receipt_bounced: bool = False
    pdf: bool = True

    @property
    def currency(self) -> str:
        """Currency of the order, ISO 4217."""
        return next(customer.currency for customer in CUSTOMERS if customer.key == self.customer)

    @property
    def total(self) -> int:
        """What was ordered, in minor units."""
        prices = {product.sku: product.price(self.currency) for product in PRODUCTS}
        return sum(prices[sku] * pieces for sku, pieces in self.lines)


ORDERS = (
    Order(1001, "acorn", 60, (("DESK", 2), ("BULB", 4))),
    Order(1002, "birch", 58, (("FLOOR", 1),)),
    Order(1003, "cedar", 55, (("FLOOR", 6), ("BULB", 12))),
    Order(1004, "dogwood", 52, (("DESK", 1),), refunds=(4900, 2000), credited=False),
    Order(1005, "elm", 50, (("DESK", 3),)),
    Order(1006, "fir", 47, (("FLOOR", 2),), declined_first=True),
    Order(1007, "ivy", 45, (("BULB", 20),), receipt=False),
    Order(1008, "juniper", 43, (("DESK", 4),), refunds=(4900,)),
    Order(1009, "birch", 40, (("BULB", 10),), invoiced_total=7901),
    Order(1010, "ginkgo", 38, (("FLOOR", 1),)),
    Order(1011, "acorn", 36, (("FLOOR", 1),), refunds=(3000, 3000)),
    Order(1012, "dogwood", 33, (("BULB", 6),), receipt_bounced=True),
    Order(1013, "ginkgo", 30, (("DESK", 2),), invoiced_total=160),
    Order(1014, "hazel", 28, (("FLOOR", 2), ("BULB", 8))),
    Order(1015, "cedar", 26, (("DESK", 10),)),
    Order(1016, "elm", 24, (("FLOOR", 1),), receipt=False),
    Order(1017, "fir", 21, (("BULB", 40),), disputed=True),
    Order(1018, "ivy", 19, (("DESK", 2),), booked=False),
    Order(1019, "juniper", 16, (("FLOOR", 1), ("BULB", 2))),
    Order(1020, "acorn", 14, (("DESK", 1),), invoiced=False, booked=False, pdf=False),
    Order(1021, "birch", 12, (("FLOOR", 3),), charged=False, receipt=False),
    Order(1022, "quill", 10, (("DESK", 2),), invoiced=False, booked=False, pdf=False),
    Order(1023, "hazel", 8, (("DESK", 1),), refunds=(16500,)),
    Order(1024, "cedar", 6, (("BULB", 30),), charged_twice=True),
    Order(1025, "elm", 4, (("DESK", 1), ("BULB", 2)), pdf=False),
    Order(1026, "ginkgo", 3, (("BULB", 12),)),
    Order(1027, "juniper", 2, (("DESK", 1),)),
    Order(1028, "fir", 1, (("FLOOR", 1),)),
)
GHOST_RECEIPT = 1999
"""A receipt was sent for this order, which is in no system."""
FEE = (290, 30)
"""What the gateway takes from a charge: hundredths of a percent, and a fixed part in minor units."""
PAYOUT_SHORT = 300
"""What the last payout in EUR lacks of its transactions, in cents."""


@dataclass(frozen=True, slots=True)
class Lead:
    """What may be bought one day; stages with the days before today on which they were reached."""

    name: str
    customer: str
    owner: str
    amount: int
    stages: tuple[tuple[str, int], ...]


LEADS = (
    Lead("Lobby of the Cedar Hotel", "cedar", "hana.ito", 250000,
         (("lead", 40), ("opportunity", 30), ("converted", 27))),
    Lead("Reading lamps for Acorn", "acorn", "hana.ito", 80000, (("lead", 20), ("opportunity", 9))),
    Lead("Classrooms of the Ivy School", "ivy", "gus.haddad", 310000, (("lead", 25), ("lost", 18))),
    Lead("Terrace of the Juniper Bar", "juniper", "hana.ito", 45000, (("lead", 5),)),
    Lead("New office of Larch Labs", "larch", "hana.ito", 120000,
         (("lead", 50), ("opportunity", 44), ("converted", 41))),
)  # fmt: skip
"""That of Larch was won, but never invoiced; that of Cedar became order 1015."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a customer asked the support; ``order`` is None for a question about none."""

    number: int
    customer: str
    order: int | None
    subject: str
    opened_days_ago: float
    closed_days_ago: float | None
    assignee: str


TICKETS = (
    Ticket(1, "acorn", 1001, "One bulb was broken", 57.2, 56.9, "ivan.petrov"),
    Ticket(2, "dogwood", 1004, "Please take it back", 51.5, 50.1, "ivan.petrov"),
    Ticket(3, "elm", None, "Do you ship to Alaska?", 44.0, 43.8, "hana.ito"),
    Ticket(4, "juniper", 1008, "One lamp too many", 42.3, 41.0, "ivan.petrov"),
    Ticket(5, "fir", 1017, "We never got the bulbs", 15.0, None, "gus.haddad"),
    Ticket(6, "ivy", 1988, "Where is my order?", 7.5, None, "ivan.petrov"),
    Ticket(7, "hazel", 1023, "Wrong plug", 7.0, 6.5, "ivan.petrov"),
    Ticket(8, "ginkgo", 1026, "領収書をください", 1.2, None, "hana.ito"),
)
"""Ticket 6 is about an order that is in no system."""
