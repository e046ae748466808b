"""URLs of Postgres: read in one way or refused, and never shown with a password, whatever goes wrong."""

from __future__ import annotations

import json
import urllib.parse
from pathlib import Path

import pytest

from leat.control.store import open_control
from leat.sources.settings import redact, remember_secret
from leat.warehouse.connect import open_warehouse
from leat.warehouse.session import WarehouseError
from leat.warehouse.url import check_postgres_url, passwords_in, shown_url
from tests.kit.command import tally_project

AMBIGUOUS = [
    "postgresql://u:planted/secret@127.0.0.1:1/db",
    "postgresql://u:plan@ted/secret@127.0.0.1:1/db",
    "postgresql://u:planted@secret@127.0.0.1:1/db",
    "postgresql://u:planted?secret@127.0.0.1:1/db",
    "postgresql://u:planted#secret@127.0.0.1:1/db",
    "postgresql://u:planted%ZZsecret@127.0.0.1:1/db",
    "postgresql://u:planted-secret@127.0.0.1:abc/db",
    "postgresql://u:planted-secret@127.0.0.1:99999/db",
    "postgresql://u:planted secret@127.0.0.1:1/db",
    "postgresql://u:planted-secret",
    "postgres://:planted-secret/db",
    "host=127.0.0.1 port=1 password=planted-secret dbname=db",
    "host=127.0.0.1 port=1 password='planted \\' secret' dbname=db",
    "postgresql:u:planted-secret@127.0.0.1/db",
    "planted-secret",
]
UNREACHABLE = [
    "postgresql://u:planted-secret@127.0.0.1:1/db",
    "postgresql://u:planted-secret@127.0.0.1:1/db?sslmode=bogus",
    "postgresql://u:planted-secret@127.0.0.1:1/db?nonsense=1",
    "postgresql://u@127.0.0.1:1/db?password=planted-secret",
    "postgresql://u:planted%2Fsecret@127.0.0.1:1/db",
    "postgresql://u:planted:secret@127.0.0.1:1/db",
    "postgresql+psycopg2://u:planted-secret@127.0.0.1:1/db",
    "postgres://u:planted-secret@127.0.0.1:1/db",
]


@pytest.mark.parametrize("url", AMBIGUOUS + UNREACHABLE)
def test_no_message_shows_a_password(url: str, tmp_path: Path) -> None:
    with (
        pytest.raises(WarehouseError, match=r"LEAT_WAREHOUSE") as of_the_warehouse,
        open_warehouse(url, tmp_path).snapshot(),
    ):
        pass
    with pytest.raises(WarehouseError, match=r"LEAT_CONTROL") as of_the_store:
        open_control(url)
    for said in (str(of_the_warehouse.value), str(of_the_store.value)):
        assert "planted" not in said
        assert "secret" not in said


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///db?host=/var/run/postgresql",
        "postgres://[::1]:5432/db",
        "postgresql://u:p%40ss@host-1.example:5432,host2:5433/db?sslmode=require&options=-c%20a%3Db@c",
        "postgresql://u@host",
    ],
)
def test_what_is_clear_is_taken(url: str) -> None:
    assert check_postgres_url(url, "X").startswith("postgresql://")
    assert "p%40ss" not in shown_url(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:one@h/d?password=two", {"one", "two"}),
        ("postgresql://u:a%2Fb@h/d", {"a%2Fb", "a/b"}),
        ("postgresql://u:a@b/c@h/d", {"a", "a@b/c"}),
        ("host=h password='it''s' user=u", {"it"}),
        ("host=h password = 'a \\' b' user=u", {"a ' b"}),
        ("postgresql://h:5432/d", set()),
        ("sqlite:////a:b@c/control.db", set()),
    ],
)
def test_passwords_are_detected_in_any_form(url: str, expected: set[str]) -> None:
    assert set(passwords_in(url)) == expected


@pytest.mark.parametrize("secret", ["a/b c+d%&'\"\\ü", "plain-but-long"])
def test_a_secret_is_redacted_however_it_is_quoted(secret: str) -> None:
    remember_secret(secret)
    forms = [secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret), json.dumps(secret),
             json.dumps(secret, ensure_ascii=False), repr(secret), urllib.parse.quote(secret, safe="").lower(),
             "'" + secret.replace("\\", "\\\\").replace("'", "\\'") + "'"]  # fmt: skip
    for form in forms:
        assert redact(f"<{form}>").strip("<>'\"") == "***", form


def test_nothing_that_a_run_writes_has_the_password(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    for url in (AMBIGUOUS[0], AMBIGUOUS[11], UNREACHABLE[1], UNREACHABLE[3]):
        for command in ("run", "doctor"):
            done = leat(command, LEAT_WAREHOUSE=url)
            assert done.returncode == 1
            assert "planted" not in done.stdout + done.stderr
    files = [path for path in (tmp_path / ".leat").rglob("*") if path.is_file()]
    assert files
    assert [path.name for path in files if b"planted" in path.read_bytes()] == []


def test_a_lost_server_of_the_control_store_is_noticed_within_seconds(postgres_url: str) -> None:
    mark = "&" if "?" in postgres_url else "?"
    for url, expected in ((postgres_url, "10000"), (f"{postgres_url}{mark}tcp_user_timeout=90000", "90000")):
        store = open_control(url)
        with store.connect() as connection:
            parameters = connection.connection.driver_connection.get_dsn_parameters()  # type: ignore[union-attr]
        store.dispose()
        assert (parameters["tcp_user_timeout"], parameters["connect_timeout"]) == (expected, "5")
