"""What a project may do where somebody limits it: run code of its own, connect to hosts, let SQL reach files."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leat.control.keys.aws_kms import KmsProvider
from leat.control.keys.problem import KeyProblem
from leat.control.keys.vault import VaultProvider
from leat.pipelines.declare.project_policy import read_confined
from leat.pipelines.declare.sql_file import read_sql
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.quality.alerts.delivery import deliver
from leat.quality.alerts.text import Text
from leat.security.policy_declaration import SignInDeclared
from leat.security.provider import Provider, open_provider
from leat.sources.egress import HostList, check_host, limit_hosts
from leat.sources.email.imap.session import Address, Session
from leat.sources.email.sending.declared import SmtpAddress
from leat.sources.email.sending.smtp import Smtp
from leat.sources.errors import NotConfigured
from leat.sources.platform.sql.store import snapshot
from leat.sources.version_control.git.connection import Connection, remotes_of
from leat.sources.version_control.git.remote import list_refs
from leat.tls import client_context, postgres_is_encrypted
from leat.warehouse.connect import open_warehouse
from tests.kit.command import Leat, tally_project
from tests.sources.http_client import client_of, sync_of
from tests.sources.rest_answers import Answers, answering

MARK = "from pathlib import Path\nPath('was_run').touch()\n"


@pytest.fixture
def project(tmp_path: Path) -> Leat:
    """Give a project with code of its own, which leaves a file where it runs."""
    leat = tally_project(tmp_path)
    streams = tmp_path / "sources" / "tally" / "streams.py"
    text = streams.read_text()
    after = text.index("\n", text.index("from __future__")) + 1 if "from __future__" in text else 0
    streams.write_text(text[:after] + MARK + text[after:])
    (tmp_path / "policies").mkdir()
    return leat


def test_code_of_a_project_is_named_and_runs_unless_it_is_forbidden(project: Leat) -> None:
    done = project("check")
    assert (done.returncode, (project.folder / "was_run").exists()) == (0, True)
    assert "sources/ is code that runs with all rights of leat: " in done.stdout
    assert "tally" in done.stdout
    (project.folder / "was_run").unlink()
    (project.folder / "policies" / "ours.yaml").write_text("project:\n  sources: forbid\n")
    for command in ("check", "run", "status", "schema"):
        done = project(command)
        assert not (project.folder / "was_run").exists(), command
        if command in ("check", "run"):
            assert done.returncode == 2
            assert done.stderr == (
                "pipelines/tally.yaml:1: source: tally is a source of this project, which is code, and "
                "policies/ours.yaml:2 forbids them\n"
            )


def test_whoever_operates_leat_has_the_last_word(project: Leat, tmp_path_factory: pytest.TempPathFactory) -> None:
    policy = tmp_path_factory.mktemp("etc") / "leat.yaml"
    policy.write_text("project: {sources: forbid, hosts: [api.example.com]}\n")
    (project.folder / "policies" / "ours.yaml").write_text("project: {sources: permit, hosts: ['*.example.com']}\n")
    (project.folder / ".env").write_text("LEAT_OPERATOR_POLICY=\n")
    done = project("run", LEAT_OPERATOR_POLICY=str(policy))
    assert done.returncode == 2
    assert f"{policy}:1 forbids them" in done.stderr
    assert not (project.folder / "was_run").exists()
    policy.write_text("project: {sorces: forbid}\n")
    done = project("run", LEAT_OPERATOR_POLICY=str(policy))
    assert done.returncode == 2
    assert 'unknown key; did you mean "sources"?' in done.stderr
    assert not (project.folder / "was_run").exists()


@pytest.mark.parametrize("text", ["project: {sources: maybe}\n", "project: [\n", "project: {hosts: {a: b}}\n"])
def test_a_policy_with_a_mistake_permits_nothing(project: Leat, text: str) -> None:
    (project.folder / "policies" / "ours.yaml").write_text(text)
    done = project("check")
    assert done.returncode == 2
    assert "policies/ours.yaml" in done.stderr
    assert not (project.folder / "was_run").exists()
    assert read_confined(project.folder).hosts[0].patterns == ()


# -- hosts ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[Answers]:
    with answering() as started:
        yield started


def test_a_host_that_isnt_permitted_is_asked_nothing(tmp_path: Path, server: Answers) -> None:
    endpoints = {"things": {"path": "things", "key": "id", "columns": {"id": "integer"}, "deletes": "never"}}
    connection = json.dumps({"url": server.url, "endpoints": endpoints})
    for folder in ("pipelines", "policies"):
        (tmp_path / folder).mkdir()
    (tmp_path / "pipelines" / "shop.yaml").write_text(f"source: rest_api\ndriver: http\nconnection: {connection}\n")
    (tmp_path / "policies" / "ours.yaml").write_text("project:\n  hosts: [api.example.com, 192.0.2.0/24]\n")
    leat = Leat(tmp_path)
    for command in ("check", "run", "preview"):
        done = leat(command, *(["shop"] if command == "preview" else []))
        assert done.returncode != 0
        said = done.stdout + done.stderr
        assert "shop" in said
        assert "policies/ours.yaml:2 doesn't permit this host, which pipelines/shop.yaml:3 names" in said, said
        assert said.count("pipelines/shop.yaml") == 1
    assert server.asked == []
    (tmp_path / "policies" / "ours.yaml").write_text("project: {hosts: 127.0.0.0/8}\n")
    server.answer = lambda _asked: [{"id": 1}]
    assert leat("run").returncode == 0
    assert server.asked != []


@pytest.fixture
def only_example() -> Iterator[None]:
    limit_hosts([HostList(("*.example.com", "slack://"), "policies/ours.yaml:2")])
    yield
    limit_hosts([])


def _parts(at: str) -> tuple[str, int]:
    host, _, port = at.partition(":")
    return host, int(port)


def http(folder: Path, at: str) -> None:
    with client_of(folder, f"http://{at}/"):
        pass


def imap(_folder: Path, at: str) -> None:
    Session("mail", "ada", Address(*_parts(at), "none", 1, client_context()))


def smtp(_folder: Path, at: str) -> None:
    Smtp("mail", SmtpAddress(*_parts(at), "none", 1, None, None, None)).open()


def git(folder: Path, at: str) -> None:
    connection = Connection.model_validate({"repositories": [f"http://{at}/x.git"]})
    list_refs(remotes_of(connection, sync_of(folder))[0])


def store(_folder: Path, at: str) -> None:
    with snapshot("platform", f"postgresql://leat@{at}/x"):
        pass


def alert(_folder: Path, at: str) -> None:
    deliver(f"json://{at}/", Text("a", "b", None), "m1", "chat")


def mail_alert(_folder: Path, at: str) -> None:
    deliver(f"mailto://{at}?to=a@example.com&from=b@example.com", Text("a", "b", None), "m1", "chat")


def identity_provider(folder: Path, at: str) -> None:
    declared = SignInDeclared(issuer=f"http://{at}", client_id="leat", roles={"a": "viewer"})
    open_provider(declared, folder)


def identity_tokens(_folder: Path, at: str) -> None:
    """Ask a provider whose description names another host."""
    metadata = {"token_endpoint": f"http://{at}/token"}
    Provider("https://id.example.com", "leat", None, ("openid",), "groups", {}, metadata).client()


def vault(_folder: Path, at: str) -> None:
    VaultProvider(f"http://{at}", "leat", lambda: "token").wrap(b"", "secrets/1")


def kms(_folder: Path, at: str) -> None:
    KmsProvider("key", "eu-central-1", f"http://{at}").wrap(b"", "secrets/1")


WAYS = [http, imap, smtp, git, store, alert, mail_alert, identity_provider, identity_tokens, vault, kms]


@pytest.mark.parametrize("connect", WAYS)
@pytest.mark.usefixtures("only_example")
def test_every_way_out_is_checked(connect: Callable[[Path, str], None], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.01)
        with pytest.raises((NotConfigured, KeyProblem), match=r"policies/ours\.yaml:2 doesn't permit this host"):
            connect(tmp_path, f"127.0.0.1:{listening.getsockname()[1]}")
        with pytest.raises(TimeoutError):
            listening.accept()


CLEAR = [way for way in WAYS if way is not identity_provider]
"""Plain HTTP to an identity provider elsewhere is never permitted."""


@pytest.mark.parametrize("connect", CLEAR)
def test_other_machines_are_asked_by_tls_alone_where_that_is_demanded(
    connect: Callable[[Path, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is one of RFC 5737, which nobody has, so that nothing is asked if this fails."""
    monkeypatch.setenv("PGSSLMODE", "prefer")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "ours.yaml").write_text("project:\n  sources: forbid\n  require_tls: true\n")
    limit_hosts((), tls=read_confined(tmp_path).tls)
    try:
        with pytest.raises((NotConfigured, KeyProblem), match=r"policies/ours\.yaml:3 demands TLS for this host"):
            connect(tmp_path, "192.0.2.1:9")
        for encrypted, host in ((False, "localhost"), (False, "::1"), (True, "192.0.2.1")):
            check_host("shop", host, encrypted=encrypted)
    finally:
        limit_hosts(())


@pytest.mark.parametrize(
    ("query", "encrypted"),
    [({}, True), ({"sslmode": "require"}, True), ({"sslmode": "prefer"}, False), ({"service": "shop"}, False)],
)
def test_which_urls_of_postgres_are_by_tls(query: dict[str, str], encrypted: bool) -> None:
    assert postgres_is_encrypted(query) is encrypted


def test_check_names_every_declaration_of_a_host_that_isnt_permitted(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    for path, text in {
        "quality/alerts.yaml": "channels:\n  chat:\n    url: {env: CHAT}\nroutes: []\n",
        "quality/webhooks.yaml": (
            "endpoints:\n  erp:\n    url: {env: ERP}\n    secrets: [{env: SIGN}]\n    events: [run.failed]\n"
        ),
        "policies/ours.yaml": (
            "project:\n  hosts: [api.example.com]\nsign_in:\n  client_id: leat\n  issuer: https://id.example.org\n"
            "  roles: {a: viewer}\n"
        ),
        "policies/keys.yaml": (
            "keys:\n  provider: vault\n  key: leat\n  token: {env: T}\n  url: https://v.example.org\n"
        ),
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    signing = f"whsec_{'a' * 43}="
    done = leat("check", CHAT="json://chat.example.org/x", ERP="https://erp.example.org/", SIGN=signing)
    assert done.returncode == 1
    for place in ("quality/alerts.yaml:3", "quality/webhooks.yaml:3", "policies/ours.yaml:5", "policies/keys.yaml:5"):
        assert f"policies/ours.yaml:2 doesn't permit this host, which {place} names" in done.stdout, (place, done)


@pytest.mark.usefixtures("only_example")
def test_a_proxy_has_to_be_permitted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.01)
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{listening.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        with client_of(tmp_path, "http://api.example.com/") as (client, _), pytest.raises(NotConfigured, match="127"):
            client.get("things")
        connection = Connection.model_validate({"repositories": ["http://git.example.com/x.git"]})
        with pytest.raises(NotConfigured, match="127"):
            list_refs(remotes_of(connection, sync_of(tmp_path))[0])
        with pytest.raises(TimeoutError):
            listening.accept()


@pytest.mark.parametrize(
    ("pattern", "host", "permitted"),
    [
        ("api.example.com", "API.example.com.", True),
        ("api.example.com", "api.example.com.evil.example", False),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "evilexample.com", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "10.example.com", False),
        ("::1", "[::1]", True),
        ("fd00::/8", "fd00::7", True),
        ("*", "example.com", False),
        ("slack://", "slack://", True),
    ],
)
def test_patterns(pattern: str, host: str, permitted: bool) -> None:
    limit_hosts([HostList((pattern,), "p.yaml:1")])
    try:
        if permitted:
            check_host("shop", host, encrypted=True)
        else:
            with pytest.raises(NotConfigured):
                check_host("shop", host, encrypted=True)
    finally:
        limit_hosts([])


# -- SQL --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reads",
    ["pg_read_file('/etc/passwd')", "\"pg_read_binary_file\"('/etc/passwd')", "lo_import('/etc/passwd')",
     "pg_catalog.pg_ls_dir('/')", "dblink('host=evil', 'SELECT 1')", "query_to_xml('SELECT 1', true, true, '')",
     "set_config('role', 'postgres', false)", "nextval('x.s')", "U&\"pg_read_fil\\0065\"('/etc/passwd')"],
)  # fmt: skip
def test_no_sql_for_postgres_reaches_past_the_tables(tmp_path: Path, reads: str) -> None:
    (tmp_path / "m.sql").write_text("/* ---\ndescription: M.\n--- */\nSELECT a FROM x.t\n")
    (tmp_path / "m.postgres.sql").write_text(f"SELECT\n {reads} AS a\nFROM x.t\n")
    with pytest.raises(DeclarationError, match=r"m\.postgres\.sql:2: .* isn't for queries"):
        read_sql(tmp_path / "m.sql", "m.sql")
    for function in ("read_text('/etc/passwd')", "read_csv('/etc/passwd')", "glob('/etc/*')"):
        (tmp_path / "n.sql").write_text(f"/* ---\ndescription: N.\n--- */\nSELECT * FROM {function}\n")
        with pytest.raises(DeclarationError, match=r"n\.sql:4: .*isn't a table"):
            read_sql(tmp_path / "n.sql", "n.sql")


@pytest.mark.parametrize("opened", ["transaction", "snapshot", "published"])
def test_no_sql_reaches_files_the_network_or_extensions(tmp_path: Path, opened: str) -> None:
    warehouse = open_warehouse(None, tmp_path / "state")
    with warehouse.transaction() as session:
        session.execute("CREATE SCHEMA x")
        session.execute("CREATE TABLE x.t AS SELECT 1 AS a")
    assert warehouse.publication is not None
    if opened == "published":
        from leat.warehouse.publication import publish_version

        publish_version(warehouse)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("secret")
    for sql in (
        f"SELECT * FROM read_text('{elsewhere}')",
        f"SELECT * FROM read_csv('{tmp_path}/state/../elsewhere')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_parquet('https://127.0.0.1:1/x.parquet')",
        "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
        f"COPY (SELECT 1) TO '{tmp_path}/made'",
        f"ATTACH '{tmp_path}/made'",
        "INSTALL httpfs",
        "LOAD httpfs",
        f"LOAD '{tmp_path}/x.duckdb_extension'",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
    ):
        with (
            pytest.raises(Exception, match=r"(?i)disabled|cannot|permission|changed"),
            getattr(warehouse, opened)() as one,
        ):
            one.execute(sql)
    assert not (tmp_path / "made").exists()
    with warehouse.snapshot() as session:
        assert session.execute("SELECT a FROM x.t") == [(1,)]
