"""Dates as real mail writes them: the right instant or none, and the zone as it is written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leat.sources.email.mime.dates import instant
from tests.sources.email_messages import message, with_head

NOON = datetime(2026, 5, 12, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "hour", "written"),
    [
        ("+0200", 10, "+0200"),
        ("+02:00", 10, "+02:00"),
        ("+02", 10, "+02"),
        ("+2", 10, "+2"),
        ("+200", 10, "+200"),
        ("GMT+0200", 10, "+0200"),
        ("GMT +0200", 10, "+0200"),
        ("UTC-5", 17, "-5"),
        ("+0200 (CEST)", 10, "+0200"),
        ("(CEST) +0200", 10, "+0200"),
        ("+0200 CEST", 10, "+0200"),
        ("+0200 (open", 10, "+0200"),
        ("+0200 +0200", 10, "+0200"),
        ("-0000", 12, "-0000"),
        ("GMT", 12, "GMT"),
        ("ut", 12, "ut"),
        ("Z", 12, "Z"),
        ("EDT", 16, "EDT"),
        ("PST", 20, "PST"),
        ("CEST", 10, "CEST"),
        ("JST", 3, "JST"),
        ("", 12, None),
        ("A", None, "A"),
        ("IST", None, "IST"),
        ("BST", None, "BST"),
        ("+0100 CEST", None, "+0100"),
        ("+0100 +0200", None, "+0100"),
        ("0200", None, "0200"),
        ("+0275", None, "+0275"),
        ("+9900", None, "+9900"),
        ("Europe/Berlin", None, "Europe/Berlin"),
        ("W. Europe Standard Time", None, "W. Europe Standard Time"),
    ],
)
def test_zones(zone: str, hour: int | None, written: str | None) -> None:
    row = message(with_head(f"Date: Tue, 12 May 2026 12:00:00 {zone}"))
    assert (row["date"], row["date_zone"]) == (None if hour is None else NOON.replace(hour=hour), written)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("Tue, 12 May 26 12:00:00 +0000", NOON),
        ("Tue, 12 May 126 12:00:00 +0000", NOON),
        ("12 May 99 12:00 GMT", NOON.replace(year=1999)),
        ("12 May 49 12:00 GMT", NOON.replace(year=2049)),
        ("12 May 50 12:00 GMT", NOON.replace(year=1950)),
        ("Tue, 12 May 2026 12:00 +0000", NOON),
        ("Tue, 12 May 2026 12.00.00 +0000", NOON),
        ("Tue, 12 May 2026 1:30:00 PM +0000", NOON.replace(hour=13, minute=30)),
        ("Tue, 12 May 2026 12:00:00 AM", NOON.replace(hour=0)),
        ("Tue, 12 May 2026 12:00 p.m.", NOON),
        ("Tue, 12 May 2026 13:00 PM", NOON.replace(hour=13)),
        ("Tue, 12 May 2026 24:00:00 +0000", datetime(2026, 5, 13, tzinfo=UTC)),
        ("Sat, 31 Dec 2016 23:59:60 +0000", datetime(2017, 1, 1, tzinfo=UTC)),
        ("Sun, 1 Jan 2017 00:59:60 +0100", datetime(2017, 1, 1, tzinfo=UTC)),
        ("Tue May 12 12:00:00 2026", NOON),
        ("Tue May 12 14:00:00 CEST 2026", NOON),
        ("Tue May 12 14:00:00 2026 +0200", NOON),
        ("May 12, 2026 2:00 PM +0200", NOON),
        ("Tuesday, 12-May-26 12:00:00 GMT", NOON),
        ("2026-05-12T14:00:00+02:00", NOON),
        ("2026-05-12 12:00:00Z", NOON),
        ("Tue (2nd), 12 May (the (nice) one) 2026 12:00 (noon) +0000", NOON),
        ("Tue,12 May 2026 12:00:00.250 GMT", NOON),
        ('"Tue, 12 May 2026 12:00:00 +0000"', NOON),
        ("Tue, 12 May 2026 14:00:00+02:00", NOON),
        ("=?utf-8?Q?Tue=2C_12_May_2026_12:00:00_+0000?=", NOON),
        ("Tue, 12 May 2026", None),
        ("12/05/2026 12:00", None),
        ("Di, 12 Mai 2026 12:00:00 +0000", None),
        ("Tue, 12 May 2026 25:00:00 +0000", None),
        ("Tue, 12 May 2026 24:00:01 +0000", None),
        ("Tue, 12 May 2026 12:60:00 +0000", None),
        ("Tue, 12 May 2026 12:00:61 +0000", None),
        ("Tue, 12 May 2026 13:00 AM", None),
        ("Thu, 29 Feb 2025 12:00:00 +0000", None),
        ("Tue, 12 May 0126 12:00:00 +0000", None),
        ("Fri, 31 Dec 9999 23:59:59 -0100", None),
        ("", None),
    ],
)
def test_dates(written: str, moment: datetime | None) -> None:
    row = message(with_head(f"Date: {written}"))
    assert row["date"] == moment or (moment is None and row["date"] is None)


@settings(max_examples=200, deadline=None)
@given(
    st.datetimes(datetime.fromisoformat("1950-01-01"), datetime.fromisoformat("2049-12-31")),
    st.integers(-14 * 60, 14 * 60),
    st.sampled_from(["%a, %d %b %Y %H:%M:%S", "%d %b %y %H:%M:%S", "%a %b %d %H:%M:%S %Y", "%d-%b-%Y %I:%M:%S %p"]),
    st.sampled_from(["{}{:02}{:02}", "{}{:02}:{:02}", "GMT{}{:02}{:02}", "UTC {}{:02}:{:02} (x)"]),
)  # fmt: skip
def test_every_form_means_the_same_instant(local: datetime, minutes: int, form: str, zone: str) -> None:
    local = local.replace(microsecond=0)
    written = f"{local.strftime(form)} {zone.format('-' if minutes < 0 else '+', *divmod(abs(minutes), 60))}"
    moment, _ = instant(written)
    assert moment is not None
    assert (local.replace(tzinfo=UTC) - moment).total_seconds() == minutes * 60
