"""Columns that are probably personal data are seen by name and value; of shipped streams all are marked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from leat.pipelines.declare.project import Project, load_declarations
from leat.sources.personal_data import by_name, by_values
from tests.kit.command import Leat
from tests.sources.rest_answers import answering

ROOT = Path(__file__).parents[2]

NAMES = {
    "email": "an email address", "customerEmail": "an email address", "E-Mail": "an email address",
    "billing_email_address": "an email address", "HomePhone": "a phone number", "first_name": "a person's name",
    "cardholderName": "a person's name", "userName": "a person's name", "assignee": "a person",
    "created_by": "a person", "street": "a postal address", "shipping_address_line2": "a postal address",
    "ZIP": "a postal address", "date_of_birth": "a date of birth", "iban": "a bank account or a card",
    "card_number": "a bank account or a card", "SSN": "a number of a person", "client_ip": "an IP address",
    "remoteAddr": "an IP address", "user_agent": "a person's device", "gender": "a fact about a person",
}  # fmt: skip
OTHERS = ("id", "name", "product_name", "status", "emailed", "script", "panel", "total", "shipping",
          "zipped", "ownership", "currency", "cellar", "bio_mass", "tax_rate", "file_name", "description")  # fmt: skip
VALUES = {
    "email addresses": ["ann@example.org", "bob@example.com", "x@y.example", "eve+a@b.example", "none"],
    "phone numbers": ["+33 1 23 45 67 89", "+1 (555) 010-9999", "+442071838750"],
    "IBANs": ["DE89 3704 0044 0532 0130 00", "FR1420041010050500013M02606", "GB29NWBK60161331926819"],
    "card numbers": ["4242 4242 4242 4242", "5555555555554444", "378282246310005"],
    "IP addresses": ["192.0.2.1", "2001:db8::1", "198.51.100.7"],
}
NO_VALUES = (
    ["1234567890123456", "4242424242424241", "5555555555554440"],
    ["DE00370400440532013000", "FR0020041010050500013M02606", "GB00NWBK60161331926819"],
    ["ann@example.org", "", "  "],
    ["a@b", "@", "c"],
    [1, None, 2.5, True],
    [],
)
EXCEPTIONS = {
    ("email", "complaints", "source_ip"): "of the mail server that sent, not of a person",
    ("email", "complaints", "user_agent"): "the program of the provider that made the report",
    ("payments", "prices", "nickname"): "how a company calls a price",
}


def test_names_and_values_are_recognised() -> None:
    assert {name: by_name(name, "string") for name in NAMES} == NAMES
    assert {name: by_name(name, "string") for name in OTHERS} == dict.fromkeys(OTHERS)
    assert by_name("email", "boolean") is None
    assert by_name("birth_date", "date") == "a date of birth"
    assert {meaning: by_values(values) for meaning, values in VALUES.items()} == {each: each for each in VALUES}
    assert [by_values(values) for values in NO_VALUES] == [None] * len(NO_VALUES)


def test_shipped_streams_mark_what_is_personal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAT_STATE", str(ROOT / ".leat"))
    declarations = load_declarations(Project(ROOT, ROOT / ".leat", None, ""))
    unmarked = {
        (name, stream.name, column.name)
        for name, declaration in declarations.items()
        for stream in declaration.every_stream()
        for column in stream.all_columns()
        if not column.personal and by_name(column.name, column.type)
    }
    assert unmarked == set(EXCEPTIONS)


def test_check_and_preview_name_what_is_not_marked(tmp_path: Path) -> None:
    accounts = [{"id": n, "mail": f"p{n}@example.org", "ref": f"+4420718387{n}0", "site": "x"} for n in range(1, 6)]
    columns = {"id": "integer", "mail": "string", "ref": "string", "site": "string"}
    path, leat = tmp_path / "pipelines" / "shop.yaml", Leat(tmp_path)
    path.parent.mkdir()
    with answering() as server:
        server.answer = lambda _: accounts

        def declare(columns: dict[str, object] | None) -> None:
            endpoint = {"path": "accounts", **({"key": "id", "columns": columns} if columns else {})}
            connection = {"url": server.url, "endpoints": {"accounts": endpoint}}
            path.write_text(yaml.safe_dump({"source": "rest_api", "driver": "http", "connection": connection}))

        declare(columns)
        checked = leat.json("check")
        [warning] = checked["warnings"]
        line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "mail:" in text)
        assert warning.startswith(
            f"pipelines/shop.yaml:{line}: connection.endpoints.accounts.columns.mail: probably an"
        )
        reading = next(test for test in checked["setup_tests"]["shop"] if test["name"] == "reads accounts")
        assert "ref has phone numbers: write personal: true, or personal: false" in reading["detail"]
        assert reading["ok"]
        assert f"! {warning}" in leat("check").stdout.replace("\n  ", " ")
        declare({**columns, "mail": {"type": "string", "personal": False}, "ref": {"type": "string", "personal": True}})
        checked = leat.json("check")
        assert checked["warnings"] == []
        assert "personal" not in json.dumps(checked["setup_tests"])
        declare(None)
        [seen] = leat.json("preview", "shop")["streams"]
        proposed = yaml.safe_load(seen["proposed"])["accounts"]["columns"]
        assert {name for name, options in proposed.items() if "personal" in options} == {"mail", "ref"}
