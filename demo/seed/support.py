"""The support desk of the demo company, a SQLite file: tickets, what was written in them, and reviews of products."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from leat.demo.story import Story
from leat.files import draft_of

_TABLES = """
CREATE TABLE tickets (number INTEGER PRIMARY KEY, customer_email TEXT NOT NULL, order_number INTEGER, subject TEXT
    NOT NULL, status TEXT NOT NULL, assignee TEXT NOT NULL, opened_at TEXT NOT NULL, closed_at TEXT, updated_at TEXT);
CREATE TABLE messages (id INTEGER PRIMARY KEY, ticket INTEGER NOT NULL REFERENCES tickets, written_at TEXT NOT NULL,
    author TEXT NOT NULL, from_customer INTEGER NOT NULL, text TEXT NOT NULL, reference TEXT UNIQUE);
CREATE TABLE reviews (id INTEGER PRIMARY KEY, sku TEXT NOT NULL, customer_email TEXT NOT NULL, stars INTEGER NOT NULL,
    text TEXT NOT NULL, created_at TEXT NOT NULL);
"""
_WORDS = {5: "Just what we wanted.", 4: "Good, and a little late.", 3: "It is all right.", 2: "It flickers."}


def seed_support(file: Path, story: Story) -> None:
    """Create the file with the tickets of the story, unless it exists."""
    if file.exists():
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with draft_of(file) as draft, closing(sqlite3.connect(draft)) as database:
        database.executescript(_TABLES)
        _write_tickets(database, story)
        _write_reviews(database, story)
        database.commit()


def _write_tickets(database: sqlite3.Connection, story: Story) -> None:
    for ticket in story.tickets:
        email, assignee = story.customer(ticket.customer).email, story.person(ticket.assignee).login
        opened = story.at(ticket.opened_days_ago)
        closed = None if ticket.closed_days_ago is None else story.at(ticket.closed_days_ago)
        status = "open" if closed is None else "closed"
        row = (ticket.number, email, ticket.order, ticket.subject, status, f"{assignee}@demo.example")
        database.execute(
            "INSERT INTO tickets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, _text(opened), closed and _text(closed), _text(closed or opened)),
        )
        question = (ticket.number, _text(opened), email, 1, f"{ticket.subject}. Can you help?")
        answer = (ticket.number, _text(closed or opened), f"{assignee}@demo.example", 0, "We are looking into it.")
        for message in (question, answer):
            database.execute(
                "INSERT INTO messages (ticket, written_at, author, from_customer, text) VALUES (?, ?, ?, ?, ?)", message
            )


def _write_reviews(database: sqlite3.Connection, story: Story) -> None:
    for order in story.orders:
        if order.days_ago < 5:
            continue  # nobody reviews what has just come
        stars = 2 if order.refunds or order.disputed else 3 + order.number % 3
        email = story.customer(order.customer).email
        for sku, _pieces in order.lines:
            database.execute(
                "INSERT INTO reviews (sku, customer_email, stars, text, created_at) VALUES (?, ?, ?, ?, ?)",
                (sku, email, stars, _WORDS[stars], _text(story.at(order.days_ago - 4))),
            )


def _text(moment: datetime) -> str:
    return moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")
