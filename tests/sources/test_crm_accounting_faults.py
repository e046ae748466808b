"""What may go wrong between Tryton and the driver: nothing is lost, nothing is made up, and the next run succeeds."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from leat.demo.tryton.server import allow, revoke
from leat.sources.crm_accounting.tryton import driver as tryton
from leat.sources.crm_accounting.tryton.changes import Care
from leat.sources.crm_accounting.tryton.reading import Reader, _Rows
from leat.sources.errors import Forbidden, IntegrationError, Unauthenticated, Unavailable, UnexpectedShape
from leat.sources.events import Delete, FullScan, Quarantined
from tests.kit.tables import Tables
from tests.sources.tryton_front import Seen
from tests.sources.tryton_site import KEY, Site, tables_of, tryton_site

RULE = Path("quality/rules/entries_balance.sql")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Start a Tryton; no model is listed whole, as when all are large."""
    with tryton_site(tmp_path_factory.mktemp("tryton"), list_up_to=0) as site:
        for number in range(12):
            site.office.party(f"Party {number}", f"Person {number}", f"p{number}@x.example")
        site.office.post(site.office.invoice(2, "10.00", "5.00"))
        site.tables.run()
        yield site


@pytest.fixture
def site(shared: Site) -> Iterator[Site]:
    shared.front.clear()
    yield shared
    shared.front.clear()


@pytest.fixture
def fresh(site: Site, tmp_path: Path) -> Tables:
    return tables_of(site.front, tmp_path, list_up_to=0)


def write(site: Site, statement: str, *values: Any) -> list[Any]:
    """Write to the database past Tryton, which sets the times of changes itself."""
    with closing(sqlite3.connect(site.folder / "leat.sqlite", timeout=30)) as database, database:
        return database.execute(statement, values).fetchall()


def test_nothing_new_is_no_event(site: Site) -> None:
    site.tables.run()
    assert site.tables.run() == []
    assert len(site.front.seen) < 200


@pytest.mark.parametrize("late", ["at the same time", "five minutes before"])
def test_rows_changed_at_or_before_the_newest_time(site: Site, late: str) -> None:
    seen, unseen = site.office.party("Seen"), site.office.party("Unseen yet")
    site.tables.run()
    site.office.change("party.party", seen, name="Seen first")
    site.tables.run()
    newest = write(site, "SELECT write_date FROM party_party WHERE id = ?", seen)[0][0]
    if late == "five minutes before":
        newest = write(site, "SELECT strftime('%Y-%m-%d %H:%M:%f000', ?, '-5 minutes')", newest)[0][0]
    write(site, "UPDATE party_party SET name = 'Late', write_date = ? WHERE id = ?", newest, unseen)
    assert site.changes() == {"companies": {str(unseen)}}
    assert site.row("companies", company_id=str(unseen))["name"] == "Late"


def test_a_row_that_appears_later_than_the_overlap(site: Site) -> None:
    party = site.office.party("Long transaction")
    site.front.after = _without(party)
    site.tables.run()
    assert (str(party),) not in site.tables.rows["companies"]
    site.front.clear()
    write(site, "UPDATE party_party SET create_date = '2020-01-01 00:00:00.000000' WHERE id = ?", party)
    assert str(party) in site.changes()["companies"], "a record that is missing is looked for by id"


def _without(number: int) -> Any:
    def after(seen: Seen, body: bytes) -> bytes:
        records = json.loads(body)
        if seen.model != "party.party" or not isinstance(records, list):
            return body
        return json.dumps([record for record in records if record["id"] != number]).encode()

    return after


def capped(seen: Seen, body: bytes) -> bytes:
    """Give at most five parties, entries or lines of entries, however many were asked for."""
    records = json.loads(body)
    some = seen.model in ("party.party", "account.move", "account.move.line") and isinstance(records, list)
    return json.dumps(records[:5]).encode() if some else body


def test_a_search_cap_loses_nothing(site: Site, fresh: Tables) -> None:
    site.tables.run()
    site.front.after = capped
    fresh.run()
    assert fresh.rows == site.tables.rows


def test_rows_made_and_deleted_while_paging(site: Site, fresh: Tables) -> None:
    doomed = site.office.party("Doomed", "Dan", "dan@x.example")
    made: list[int] = []

    def meddle(seen: Seen) -> None:
        if seen.model == "party.party" and '">", 5]' in seen.domain and not made:
            site.office.delete("party.party", doomed)
            made.append(site.office.party("Made meanwhile"))

    site.front.before, site.front.after = meddle, capped
    fresh.run()
    site.front.clear()
    fresh.run()
    assert made
    site.tables.run()
    assert fresh.rows == site.tables.rows
    assert fresh.run() == []


def test_a_record_deleted_between_its_listing_and_its_reading(site: Site, fresh: Tables) -> None:
    doomed = site.office.party("Doomed too")

    def meddle(seen: Seen) -> None:
        if seen.model == "party.party" and '"in"' in seen.domain and not done:
            done.append(True)
            site.office.delete("party.party", doomed)

    done: list[bool] = []
    site.front.before = meddle
    fresh.run()
    assert done
    assert (str(doomed),) not in fresh.rows["companies"]
    site.front.clear()
    before = dict(fresh.rows["companies"])
    fresh.run()
    assert fresh.rows["companies"] == before
    assert fresh.run() == []


def test_a_record_changed_between_two_pages(site: Site, fresh: Tables) -> None:
    party = site.office.party("Before")

    def meddle(seen: Seen) -> None:
        if seen.model == "party.address" and not done:
            done.append(True)
            site.office.change("party.party", party, name="After")

    done: list[bool] = []
    site.front.before, site.front.after = meddle, capped
    fresh.run()
    site.front.clear()
    fresh.run()
    assert fresh.rows["companies"][str(party),]["name"] == "After"


def test_a_key_revoked_mid_run(site: Site, fresh: Tables) -> None:
    file = site.folder / "leat.sqlite"
    site.front.before = lambda _seen: revoke(file, KEY) if len(site.front.seen) == 12 else None
    with pytest.raises(Unauthenticated, match="user application") as raised:
        fresh.run()
    assert KEY not in str(raised.value)
    assert len(site.front.seen) == 12, "refused credentials are tried once"
    assert fresh.cursor is None
    allow(file, KEY)
    site.front.clear()
    fresh.run()
    assert fresh.rows["companies"]


def test_a_server_stopped_mid_page(site: Site, fresh: Tables) -> None:
    site.front.after = lambda _seen, body: None if len(site.front.seen) > 8 else body
    with pytest.raises(Unavailable):
        fresh.run()
    assert fresh.cursor is None
    site.front.clear()
    fresh.run()
    site.tables.run()
    assert fresh.rows == site.tables.rows


def fails_alone(tables: Tables, kind: type[IntegrationError], *streams: str) -> IntegrationError:
    """Run, and be sure that only these streams fail, with that class of error."""
    tables.run()
    assert {stream: type(error) for stream, error in tables.failures().items()} == dict.fromkeys(streams, kind)
    return tables.failures()[streams[0]]


@pytest.mark.parametrize("answer", [b"[{", b'{"id": 1}', b'[{"name": "no id"}]', b"<html>"])
def test_an_answer_that_is_none_fails_its_model_alone(site: Site, fresh: Tables, answer: bytes) -> None:
    site.front.after = lambda seen, body: answer if seen.model == "account.move" else body
    fails_alone(fresh, UnexpectedShape, "journal_entries", "journal_lines")
    assert fresh.rows["invoices"]
    site.front.clear()
    seen = len(site.front.seen)
    fresh.run()
    site.tables.run()
    assert fresh.rows == site.tables.rows, "the next run reads what is missing"
    assert len(site.front.seen) - seen < 200


def test_without_the_right_to_read_a_model_the_others_are_loaded(site: Site, fresh: Tables) -> None:
    fresh.run()
    denied = {"product.product", "account.invoice"}
    site.front.refused = lambda seen: 403 if seen.model in denied else None
    of_invoices = ("invoices", "bills", "credit_notes", "invoice_lines", "payments")
    party = site.office.party("Came meanwhile")
    lamp = site.office.product("Lamp", "1.00", "L-new")
    site.office.post(site.office.invoice(party, "7.00"))
    fails_alone(fresh, Forbidden, *of_invoices, "products", "customers", "vendors")
    assert (str(party),) in fresh.rows["companies"]
    assert (str(party),) not in fresh.rows["customers"]
    fails_alone(fresh, Forbidden, *of_invoices, "products", "customers", "vendors")
    site.front.clear()
    fresh.run()
    assert fresh.failures() == {}
    assert (str(lamp),) in fresh.rows["products"]
    assert (str(party),) in fresh.rows["customers"]
    site.tables.run()
    assert fresh.rows == site.tables.rows


def test_a_server_that_refuses_everything_fails_the_run(site: Site, fresh: Tables) -> None:
    open_to_all = {"ir.model", "company.company"}
    site.front.refused = lambda seen: 403 if seen.model not in open_to_all or '"in"' in seen.domain else None
    with pytest.raises(Forbidden):
        fresh.run()


def test_an_empty_page_of_records_that_are_there_deletes_nothing(site: Site, fresh: Tables) -> None:
    fresh.run()
    before = dict(fresh.rows["companies"])
    fresh.cursor = None
    site.front.after = lambda seen, body: b"[]" if seen.model == "party.party" and '"in"' in seen.domain else body
    of_parties = ("companies", "contacts", "associations", "customers", "vendors")
    assert "by Content-Range" in fails_alone(fresh, UnexpectedShape, *of_parties).got
    assert fresh.rows["companies"] == before


def test_every_complete_listing_says_why_it_is(site: Site, fresh: Tables) -> None:
    site.front.after = capped
    because = {event.stream: event.because for event in fresh.run() if isinstance(event, FullScan)}
    assert because["companies"].startswith("party.party was listed to its end: ")
    assert all(because.values())


ODD: list[Any] = [None, True, -7, 2**70, 1e300, "", "9e999999999", "secret", [], [7], {}, {"id": "secret"},
                  {"__class__": "Decimal", "decimal": "secret"}, {"__class__": "Decimal", "decimal": "1E+999999999"},
                  {"__class__": "datetime", "year": 2026}, {"__class__": "date", "year": 99999, "month": 1, "day": 1},
                  [{"id": 1}], [None]]  # fmt: skip


def test_any_value_in_any_field_gives_rows_or_a_reason_without_the_value(site: Site, fresh: Tables) -> None:
    sync = fresh.sync()
    with tryton._open(tryton.Connection(**fresh.connection), sync) as client:
        base = tryton._database(client, tryton.Connection(**fresh.connection))
        reader = Reader(base, sync, Care(0, 0))
        for kind in tryton.KINDS:
            records = base.page(kind.model, kind.fields, [])[:1]
            for record in kind.complete(base, records):
                for name, value in [(name, value) for name in record if name != "id" for value in ODD]:
                    read = _Rows(kind, sync, replace=False)
                    events = list(read.add({**record, name: value}))
                    for event in (one for one in events if isinstance(one, Quarantined)):
                        assert event.reason.startswith((f"field {name}: ", "it is an amount without a currency"))
                        assert "secret" not in event.reason
                        assert str(2**70) not in event.reason
            for event in reader._rows(kind, [r["id"] for r in records], {}, _Rows(kind, sync, replace=False)):
                assert not isinstance(event, Quarantined)


@pytest.mark.parametrize("value", [7, "text", {"__class__": "datetime", "year": 2026}, [], {"__class__": "date"}])
def test_a_record_with_an_odd_time_is_quarantined_alone_and_read_again(site: Site, fresh: Tables, value: Any) -> None:
    party = site.office.party("Odd")

    def odd(seen: Seen, body: bytes) -> bytes:
        records = json.loads(body)
        if seen.model == "party.party" and isinstance(records, list):
            records = [{**r, "write_date": value} if r["id"] == party and "write_date" in r else r for r in records]
        return json.dumps(records).encode()

    site.front.after = odd
    fresh.run()
    assert [event.key for event in fresh.quarantined()] == [f"party.party,{party}"]
    assert len(fresh.rows["companies"]) > 10
    site.front.clear()
    fresh.run()
    assert (str(party),) in fresh.rows["companies"]


def test_a_record_that_stops_what_belongs_to_it_is_quarantined_alone(site: Site, fresh: Tables) -> None:
    odd_entry: list[int] = []

    def odd(seen: Seen, body: bytes) -> bytes:
        records = json.loads(body)
        if seen.model == "account.move" and isinstance(records, list) and records and records[0].get("lines"):
            odd_entry[:] = [records[0]["id"]]
            records[0]["lines"][0]["debit"] = "no number"
        return json.dumps(records).encode()

    site.office.post(site.office.invoice(2, "1.00"))
    site.front.after = odd
    fresh.run()
    assert [event.key for event in fresh.quarantined()] == [f"account.move,{odd_entry[0]}"]
    assert fresh.quarantined()[0].reason == "field lines: it is no number"
    assert fresh.rows["journal_entries"]


def test_a_page_that_is_given_again_and_again(site: Site, fresh: Tables) -> None:
    first: list[bytes] = []

    def same(seen: Seen, body: bytes) -> bytes:
        if seen.model == "party.party":
            first.append(json.dumps(json.loads(body)[:3]).encode())
            return first[0]
        return body

    site.front.after = same
    error = fails_alone(fresh, UnexpectedShape, "companies", "contacts", "associations", "customers", "vendors")
    assert "proxy" in str(error)


def test_a_field_that_may_not_be_read(site: Site, fresh: Tables) -> None:
    def hide(seen: Seen, body: bytes) -> bytes:
        if seen.model != "account.invoice":
            return body
        return json.dumps([{k: v for k, v in r.items() if k != "reference"} for r in json.loads(body)]).encode()

    site.front.after = hide
    error = fails_alone(fresh, Forbidden, "invoices", "bills", "credit_notes", "invoice_lines", "payments")
    assert "reference" in str(error)


def test_rights_that_were_taken_away_are_left_to_the_guard(site: Site) -> None:
    for number in range(10):
        site.office.product(f"Lamp {number}", "1.00", f"L-{number}")
    site.tables.run()
    before = dict(site.tables.rows["products"])
    nothing = [["create", [{"domain": '[["id", "<", 0]]'}]]]
    rule = site.office.make("ir.rule.group", name="None", model="product.product", global_p=True, rules=nothing)
    events = site.tables.run()
    scans = [event.stream for event in events if isinstance(event, FullScan)]
    assert scans == ["products"], "the engine judges how much of it may go"
    assert not [event for event in events if isinstance(event, Delete) and event.stream == "products"]
    site.office.delete("ir.rule.group", rule)
    site.tables.run()
    assert site.tables.rows["products"] == before


def test_an_entry_and_its_lines_are_of_one_moment(site: Site, fresh: Tables) -> None:
    torn: list[int] = []

    def tear(seen: Seen, body: bytes) -> bytes:
        records = json.loads(body)
        if seen.model == "account.move" and records and "lines." not in records[0] and records[0].get("lines"):
            if not torn:
                torn.append(records[0]["id"])
                records[0]["lines"].pop()
            return json.dumps(records).encode()
        return body

    site.front.after = tear
    fresh.run()
    assert torn
    assert unbalanced(fresh) == []


def test_posting_during_a_run_never_alarms(site: Site, fresh: Tables) -> None:
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            invoice = site.office.invoice(2, "3.33", "1.11")
            site.office.post(invoice)
            site.office.pay(invoice, "4.44")

    clerk = threading.Thread(target=work)
    clerk.start()
    try:
        for _ in range(3):
            fresh.run()
            assert unbalanced(fresh) == []
            entries = {key for (key,) in fresh.rows["journal_entries"]}
            referred = {row["entry_id"] for name in ("invoices", "payments") for row in fresh.table(name)} - {None}
            assert referred <= entries, "what is referred to is read after what refers to it"
    finally:
        stopped.set()
        clerk.join()
    fresh.run()
    assert len(fresh.rows["payments"]) >= 1


def unbalanced(tables: Tables) -> list[str]:
    """Return the ids of the entries that the rule selects."""
    with duckdb.connect() as database:
        database.execute("CREATE SCHEMA crm_accounting")
        for name in ("journal_entries", "journal_lines"):
            import pyarrow as pa

            rows = pa.Table.from_pylist([{**row, "_deleted_at": None} for row in tables.table(name)])
            database.register("rows", rows)
            database.execute(f"CREATE TABLE crm_accounting.{name} AS SELECT * FROM rows")
            database.unregister("rows")
        return [str(row[0]) for row in database.execute(RULE.read_text(encoding="utf-8")).fetchall()]


def test_the_rule_finds_an_entry_that_does_not_balance(site: Site) -> None:
    site.tables.run()
    assert unbalanced(site.tables) == []
    line = site.tables.table("journal_lines")[0]
    line["debit"] += 1
    assert unbalanced(site.tables) == [line["entry_id"]]
    line["debit"] -= 1
