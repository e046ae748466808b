"""Who works at the demo company, and the groups of its identity provider."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """One who works here, or did.

    Attributes:
        login: name in every system; the address is ``<login>@demo.example``.
        name: as written.
        zone: where they live, an IANA zone.
        title: what they do.
        department: where they belong.
        manager: login of who they report to.
        in_sso: whether the identity provider knows them.
        left_days_ago: days since the account was deactivated; None for who is still here.
        mailbox: whether the mail server has a mailbox of theirs.
        calendar: whether the calendar server has a calendar of theirs.
        logins: days before the company began on which they signed in; fractions are hours.
        failed_logins: days on which a wrong password was given.
        session_open: whether a session of theirs has not ended.
    """

    login: str
    name: str
    zone: str
    title: str
    department: str
    manager: str | None = None
    in_sso: bool = True
    left_days_ago: int | None = None
    mailbox: bool = True
    calendar: bool = True
    logins: tuple[float, ...] = (1.1, 3.2)
    failed_logins: tuple[float, ...] = ()
    session_open: bool = False

    @property
    def email(self) -> str:
        """Address of the person."""
        return f"{self.login}@demo.example"

    @property
    def is_active(self) -> bool:
        """Whether the account may sign in."""
        return self.left_days_ago is None


PEOPLE = (
    Person("alice.martin", "Alice Martin", "Europe/Paris", "Head of engineering", "engineering", session_open=True),
    Person("bob.okafor", "Bob Okafor", "Europe/London", "Engineer", "engineering", "alice.martin"),
    Person("carol.svensson", "Carol Svensson", "Europe/Stockholm", "Designer", "engineering", "alice.martin"),
    Person("dan.rossi", "Dan Rossi", "America/New_York", "Operations", "engineering", "alice.martin",
           failed_logins=(0.5, 0.5, 0.4)),
    Person("fay.nguyen", "Fay Nguyễn", "Europe/Paris", "Bookkeeper", "finance", session_open=True),
    Person("hana.ito", "Hana Itō", "Asia/Tokyo", "Sales", "sales", logins=(2.3,)),
    Person("ivan.petrov", "Ivan Petrov", "Europe/Sofia", "Support", "sales", "hana.ito", logins=()),
    Person("gus.haddad", "Gus Haddad", "Europe/Paris", "Sales", "sales", "hana.ito", left_days_ago=14,
           logins=(20.0, 15.5), session_open=True),
    Person("old.hand", "Otto Hand", "Europe/Paris", "Retired", "sales", in_sso=False, calendar=False, logins=()),
)  # fmt: skip

SHOP = "shop@demo.example"
"""The mailbox of the web shop: it sends receipts and gets what bounces."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the identity provider; some are roles."""

    name: str
    description: str
    members: tuple[str, ...]
    is_role: bool = False


GROUPS = (
    Group("engineering", "Who builds the shop", ("alice.martin", "bob.okafor", "carol.svensson", "dan.rossi")),
    Group("finance", "Who keeps the books", ("fay.nguyen", "gus.haddad")),
    Group("sales", "Who talks to customers", ("hana.ito", "ivan.petrov")),
    Group("admins", "May change everything", ("alice.martin", "dan.rossi"), is_role=True),
    Group("auditors", "May read everything", ("fay.nguyen",), is_role=True),
)
