"""The story of the demo company: the people, customers, orders, mails and files that every server is seeded from.

Demo Lamps sells lamps in a web shop. An order leaves traces in every system: a charge, an invoice and its entries in
the books, a receipt by mail, a PDF in the storage. All of it follows from the day that the company began, so that two
seedings on the same day are the same. Not all of it fits together: :mod:`leat.demo.story.planted` lists what doesn't.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from leat.demo.story.files import FILES, File
from leat.demo.story.mails import Mail, write_mails
from leat.demo.story.people import GROUPS, PEOPLE, Group, Person
from leat.demo.story.planted import PLANTED, Planted
from leat.demo.story.trade import CUSTOMERS, LEADS, ORDERS, PRODUCTS, TICKETS, Customer, Lead, Order, Product, Ticket

__all__ = [
    "Customer",
    "File",
    "Group",
    "Lead",
    "Mail",
    "Order",
    "Person",
    "Planted",
    "Product",
    "Story",
    "Ticket",
    "tell",
]

DOMAIN = "demo.example"


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is seeded.

    Attributes:
        began_at: the day that all dates are counted from, UTC.
        people: who works here, or did.
        groups: of the identity provider.
        customers: companies that buy, each with one contact.
        products: what is sold.
        orders: what was bought.
        leads: what may be bought one day.
        tickets: what customers asked the support.
        mails: what is in the mailboxes.
        files: what is in the storage.
        planted: what doesn't fit together, and on purpose.
    """

    began_at: datetime
    people: tuple[Person, ...]
    groups: tuple[Group, ...]
    customers: tuple[Customer, ...]
    products: tuple[Product, ...]
    orders: tuple[Order, ...]
    leads: tuple[Lead, ...]
    tickets: tuple[Ticket, ...]
    mails: tuple[Mail, ...]
    files: tuple[File, ...]
    planted: tuple[Planted, ...]

    def at(self, days: float) -> datetime:
        """Return the moment so many days before the company began; negative ones are to come."""
        return self.began_at - timedelta(days=days)

    def person(self, login: str) -> Person:
        """Return the person with that login."""
        return next(person for person in self.people if person.login == login)

    def customer(self, key: str) -> Customer:
        """Return the customer with that key."""
        return next(customer for customer in self.customers if customer.key == key)

    def product(self, sku: str) -> Product:
        """Return the product with that number."""
        return next(product for product in self.products if product.sku == sku)


def write_story(began_at: datetime) -> Story:
    """Return the story of a company that began at that time."""
    noon = began_at.replace(hour=12, minute=0, second=0, microsecond=0)
    return Story(
        noon,
        PEOPLE,
        GROUPS,
        CUSTOMERS,
        PRODUCTS,
        ORDERS,
        LEADS,
        TICKETS,
        tuple(write_mails(noon, ORDERS, {customer.key: customer for customer in CUSTOMERS})),
        FILES,
        PLANTED,
    )
