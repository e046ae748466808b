"""Secrets that leat stores: set, named, rotated, missing; files that they replace; nowhere in clear."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from leat.control import own_secrets
from leat.control.keys.locks import alone
from leat.control.own_secrets import OwnSecret, own_secret
from leat.files import make_private
from leat.pipelines.declare import stored_secrets
from leat.pipelines.declare.keys import _Opened, keys_of
from leat.pipelines.declare.project import Project, open_project
from leat.pipelines.declare.stored_secrets import ProjectSecrets, secret_store
from leat.pipelines.load.mask_key import read_mask_key
from leat.sources.errors import NotConfigured
from leat.sources.http.grants import RefreshToken
from leat.sources.settings import Named, redact
from leat.warehouse.session import Busy
from tests.kit.command import differs, documented_json, tally_project, then
from tests.kit.killed_lines import killed_at_each_line
from tests.kit.planted import forms, leaks
from tests.kit.project import row, rows
from tests.kit.receiver import new_secret, receiving
from tests.kit.terminal import on_terminal

PLANTED = "planted/secret+of the=shop-93172"
HOOK = new_secret("hook")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("LEAT_MASK_KEY", "LEAT_HOME", "LEAT_CONTROL", "LEAT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    make_private(tmp_path / ".leat")
    return open_project(tmp_path)


def forget(project: Project) -> None:
    """Let this process forget what it has opened and read, as another process would begin."""
    _Opened.keys.pop((project.state, project.control_url), None)


# -- the commands -----------------------------------------------------------------------------------------------------


def test_a_secret_is_set_listed_rotated_and_removed(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    assert leat.json("secret")["secrets"] == []
    assert leat("secret", "set", "shop-key", given=f"{PLANTED}\n").stdout == "shop-key is stored, encrypted\n"
    listed = leat.json("secret", "list")
    assert [each["name"] for each in listed["secrets"]] == ["shop-key"]
    assert leat("secret", "rotate", "shop-key", given=PLANTED).returncode == 2
    assert leat.json("secret", "rotate", "shop-key", given="another") == {
        "leat": 1, "command": "secret rotate", "secret": "shop-key"}  # fmt: skip
    assert secret_store(open_project(tmp_path)).read("shop-key") == "another"
    for args, given, said in (
        (("rotate", "shop-kye"), "x", "there is no secret shop-kye. Next: `leat secret set shop-kye`"),
        (("set", "1"), "x", "a name has up to 100 letters, digits"),
        (("set", "@mask_key"), "x", "a name has up to 100 letters, digits"),
        (("set", "empty"), "\n", "the value is empty"),
        (("remove", "shop-kye"), "", 'did you mean "shop-key"?'),
        (("remove", "@mask_key"), "", "there is no secret"),
        (("set",), "", "NAME"),
    ):
        done = leat("secret", *args, given=given)
        assert (done.returncode, said in done.stderr) == (2, True), done
    assert leat("secret", "remove", "shop-key").stdout == "shop-key is removed\n"
    audited = [(e["event"], e["detail"].get("secret")) for e in leat.json("audit")["events"]]
    assert audited[::-1] == [("key.created", None), ("secret.set", "shop-key"), ("secret.rotated", "shop-key"),
                             ("secret.removed", "shop-key")]  # fmt: skip
    assert leaks(tmp_path, [PLANTED]) == []


def test_a_terminal_does_not_show_what_is_typed(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    shown = on_terminal(leat, "secret", "set", "shop-key", answer=f"{PLANTED}\n")
    assert "Value of shop-key (it isn't shown): " in shown
    assert "shop-key is stored, encrypted" in shown
    assert PLANTED not in shown
    assert secret_store(open_project(tmp_path)).read("shop-key") == PLANTED


def test_what_is_missing_is_named_with_the_command_that_sets_it(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    (tmp_path / "quality").mkdir()
    (tmp_path / "policies").mkdir()
    for name, text in {
        "pipelines/api.yaml": "source: rest_api\ndriver: http\nconnection:\n  url: http://127.0.0.1:9\n"
        "  auth:\n    kind: bearer\n    token: {secret: api-token}\n"
        "  endpoints: {things: {path: /things, key: [id], columns: {id: integer}}}\n",
        "quality/webhooks.yaml": "endpoints:\n  erp:\n    url: {secret: erp-url}\n    secrets: {secret: erp-key}\n"
        "  later: {url: {secret: later-url}, secrets: {secret: erp-key}, required: false}\n",
        "quality/alerts.yaml": "channels:\n  chat: {url: {secret: chat-url}}\n"
        "  off: {url: {secret: off-url}, required: false}\ndefault: chat\n",
        "policies/sign_in.yaml": "sign_in:\n  issuer: https://id.example\n  client_id: leat\n"
        "  client_secret: {secret: sign-in}\n  roles: {a: admin}\n",
    }.items():
        (tmp_path / name).write_text(text)
    done = leat("check")
    assert done.returncode == 1
    for said in (
        "api: reading the secret api-token: it is not set (pipelines/api.yaml:7). Next: set it: `leat secret set api-",
        "quality/webhooks.yaml:3: reading the secret erp-url: it is not set. Next: set it: `leat secret set erp-url`",
        "quality/webhooks.yaml:4: reading the secret erp-key: it is not set. Next: set it: `leat secret set erp-key`",
        "endpoint later: off, for later-url is not set",
        "channel chat: it is not set. Next: set it: `leat secret set chat-url`",
        "channel off: off, for off-url is not set",
        "policies: secret sign-in: policies/: sign_in: it is not set. Next: set it: `leat secret set sign-in`",
    ):
        assert said in done.stdout, (said, done.stdout)
    missing = {each["name"]: each["named_in"] for each in leat.json("secret")["missing"]}
    assert missing["erp-key"] == ["quality/webhooks.yaml"]
    assert sorted(missing) == ["api-token", "chat-url", "erp-key", "erp-url", "later-url", "off-url", "sign-in"]
    findings = {each["what"]: each for each in leat.json("doctor")["findings"]}
    assert findings["secret api-token"]["detail"] == "named in api and not stored; `leat secret set api-token`"
    assert findings["keys"]["detail"] == "nothing is encrypted yet"
    leat("secret", "set", "erp-key", given=HOOK)
    used = leat("secret", "remove", "erp-key")
    assert (used.returncode, "named in quality/webhooks.yaml" in used.stderr) == (2, True)
    assert leat("secret", "remove", "erp-key", "--force").returncode == 0


def test_only_administrators_may(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "team.yaml").write_text("local_accounts: {default: operator, ada: admin}\n")
    commands: tuple[tuple[str, ...], ...] = (
        ("secret",), ("secret", "set", "a"), ("secret", "remove", "a"),
        ("keys",), ("keys", "rotate"), ("keys", "rotate", "--kek"), ("keys", "reencrypt"),
    )  # fmt: skip
    for command in commands:
        done = leat(*command, given="x", LEAT_USER="bob")
        assert (done.returncode, "it takes the role admin" in done.stderr) == (1, True), (command, done)
    assert leat("secret", "set", "a", given="x", LEAT_USER="ada").returncode == 0
    assert leat("keys", LEAT_USER="ada").returncode == 0


def test_json_is_as_documented(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    leat("secret", "set", "a", given="x")
    for command in ("secret", "keys"):
        assert differs(leat.json(command), documented_json()[command]) == []
    assert leat.json("keys", "rotate") == {"leat": 1, "command": "keys rotate", "kek": False, "keys": 1}
    done = leat.json("keys", "reencrypt")
    assert (done["values"], len(done["retired"]), done["in_use"]) == (
        {"secrets of the control store": 1, "keys of people": 0},
        1,
        {},
    )
    states = [(key["state"], key["values"]) for key in leat.json("keys")["keys"]]
    assert states == [("retired", 0), ("current", 1)]
    assert leat.json("keys", "rotate", "--kek")["keys"] == 1


def test_a_wrong_key_refuses_to_start_and_says_what_to_do(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    leat("secret", "set", "a", given="x")
    (tmp_path / ".leat" / "kek.key").rename(tmp_path / "kek.key")
    assert leat("run").returncode == 0, "a run without secrets needs no key"
    for command, code in ((("keys",), 1), (("secret", "set", "b"), 1), (("serve", "--check"), 1), (("doctor",), 1),
                          (("serve", "--port", "0"), 2)):  # fmt: skip
        done = leat(*command, given="x")
        said = done.stdout + done.stderr
        assert (done.returncode, "Next: restore the right key there" in said) == (code, True), (
            command,
            said,
        )
    (tmp_path / "kek.key").rename(tmp_path / ".leat" / "kek.key")
    assert leat("keys").returncode == 0


# -- nowhere in clear -------------------------------------------------------------------------------------------------


def test_secrets_are_nowhere_on_the_disk(tmp_path: Path) -> None:
    """A run that uses secrets, one that fails with them, and one that is killed leave them nowhere."""
    leat = tally_project(tmp_path, "{fed: {mask: true}}")
    (tmp_path / "quality").mkdir()
    with receiving(HOOK) as endpoint:
        url = f"{endpoint.url}?token={quote(PLANTED, safe='')}"
        for name, value in (("hook-url", url), ("hook-key", HOOK), ("dead", f"json://127.0.0.1:9/{PLANTED}")):
            assert leat("secret", "set", name, given=value).returncode == 0
        (tmp_path / "quality" / "webhooks.yaml").write_text(
            "endpoints:\n  erp: {url: {secret: hook-url}, secrets: {secret: hook-key}, allow_private: true}\n"
        )
        (tmp_path / "quality" / "alerts.yaml").write_text("channels: {chat: {url: {secret: dead}}}\ndefault: chat\n")
        assert leat("run").returncode == 0
        then(leat, rows("fed", row(1, label="a label")))
        assert leat("run").returncode == 0
        assert leat("webhooks", "test", "erp").returncode == 0
        assert [body["type"] for _, body in endpoint.got] == ["load.applied", "test"]
        then(leat, {"do": "fail", "transient": False})
        failed = leat("run")
        assert failed.returncode == 1
        alerted = leat("alerts", "test", "chat")
        process = leat.start("run")
        process.kill()
        process.wait()
    store = secret_store(open_project(tmp_path))
    own = [str(store.read(each.name)) for each in store.rows() if each.is_own]
    assert len(own) == 1
    planted = [PLANTED, quote(PLANTED, safe=""), HOOK, HOOK.removeprefix("whsec_"), *own]
    assert leaks(tmp_path, planted) == []
    for said in (failed, alerted):
        assert [each for each in planted if each in said.stdout + said.stderr] == []
    used = {
        (e["detail"]["secret"], e["detail"]["for"])
        for e in leat.json("audit", "list", "--event", "secret.used")["events"]
    }
    assert used >= {("hook-url", "webhook erp"), ("hook-key", "webhook erp"), ("dead", "alert channel chat")}


def test_secrets_would_be_found(tmp_path: Path) -> None:
    """The search itself works, for each form that it looks for."""
    for number, (_, form) in enumerate(forms(PLANTED)):
        (tmp_path / f"plain{number}").write_bytes(b"before" + form + b"after")
        (tmp_path / f"packed{number}").write_bytes(b"head" + gzip.compress(b"x" * 100 + form))
    found = {each.partition(":")[0] for each in leaks(tmp_path, [PLANTED])}
    assert found == {path.name for path in tmp_path.iterdir()}


# -- what is named ----------------------------------------------------------------------------------------------------


def test_a_named_secret_is_read_and_never_shown(project: Project) -> None:
    named = Named(secret="shop-key")
    assert not named.is_there(project.folder)
    with pytest.raises(NotConfigured, match=r"reading the secret shop-key: it is not set\. Next: set it: `leat secret"):
        named.read("shop", project.folder)
    secret_store(project).write("shop-key", PLANTED)
    assert named.is_there(project.folder)
    assert named.read("shop", project.folder) == PLANTED
    assert redact(f"{PLANTED} and {quote(PLANTED, safe='')}") == "*** and ***"
    with pytest.raises(NotConfigured, match="no project is open"):
        named.read("shop", project.folder / "elsewhere")
    for own in ("@mask_key", "@audit_key", "@file/secrets/x"):
        with pytest.raises(ValueError, match="should match pattern"):
            Named(secret=own)
    (project.state / "kek.key").unlink()
    forget(project)
    with pytest.raises(NotConfigured, match=r"reading the secret shop-key: .*isn't it\. Next: restore the right key"):
        named.read("shop", project.folder)


# -- files of older versions ------------------------------------------------------------------------------------------


def test_a_mask_key_is_taken_over_once(project: Project) -> None:
    path = project.state / "mask.key"
    path.write_text("the key of before\n")
    for _ in range(2):
        assert read_mask_key(project) == b"the key of before"
        assert not path.exists()
        forget(project)
    path.write_text("that of another machine")  # a state folder that was restored: what it made has this key
    assert read_mask_key(project) == b"that of another machine"
    assert path.exists()


def test_a_mask_key_is_made_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    made = read_mask_key(project)
    forget(project)
    assert read_mask_key(project) == made
    assert len(made) == 64
    monkeypatch.setenv("LEAT_MASK_KEY", "given")
    assert read_mask_key(project) == b"given"


def test_a_file_goes_on_while_nothing_can_be_encrypted(project: Project) -> None:
    keys_of(project).data_key("secrets")
    (project.state / "kek.key").unlink()
    (project.state / "mask.key").write_text("the key of before")
    forget(project)
    assert read_mask_key(project) == b"the key of before"
    assert (project.state / "mask.key").exists()


OWN = OwnSecret("@test", "test.key", lambda: "new", bytes.decode)


def test_taking_over_is_killed_at_each_line(project: Project) -> None:
    path = project.state / OWN.file
    secret_store(project).write("warm", "x")
    path.write_text("old")
    for _ in killed_at_each_line(lambda: own_secret(lambda: secret_store(project), OWN, project.state), own_secrets):
        assert own_secret(lambda: secret_store(project), OWN, project.state) == "old"
        assert not path.exists()
        secret_store(project).remove(OWN.name)
        path.write_text("old")


def test_a_refresh_token_in_a_file_is_taken_over_and_killed_at_each_line(project: Project) -> None:
    path = project.folder / "secrets" / "refresh"
    path.parent.mkdir()
    stored = ProjectSecrets(project)
    secret_store(project).write("warm", "x")
    for number, _ in enumerate(_killed(stored, path)):
        name = stored.take_over(path, "shop")
        assert name == "@file/secrets/refresh"
        assert secret_store(project).read(name) == f"token {number}"
        assert not path.exists()
        path.write_text(f"token {number + 1}\n")  # somebody has signed in again
        if number % 2:
            secret_store(project).remove(name)


def _killed(stored: ProjectSecrets, path: Path) -> Iterator[bool]:
    path.write_text("token 0\n")
    yield from killed_at_each_line(lambda: stored.take_over(path, "shop"), stored_secrets)


def test_a_refresh_token_that_was_a_file_is_used_by_one_machine_at_a_time(project: Project) -> None:
    (project.folder / "refresh").write_text("token")
    grant = RefreshToken({}, "leat", None, "body", Named.model_construct(file="refresh"), project.folder)
    name = "@file/refresh"
    with grant.form("shop", "") as (form, _):
        assert form["refresh_token"] == "token"
        lock = hashlib.sha256(name.encode()).hexdigest()[:16]
        with pytest.raises(Busy), alone(secret_store(project).keys.engine, f"secret-{lock}", 0):
            pytest.fail("another machine has no lock on the file here")


def test_a_refresh_token_stays_a_file_that_profiles_share(project: Project) -> None:
    path = project.folder / "refresh"
    path.write_text("token")
    (project.folder / ".env.prod").touch()
    assert ProjectSecrets(project).take_over(path, "shop") is None
    assert path.read_text() == "token"
    (project.folder / ".env.prod").unlink()
    path.unlink()
    with pytest.raises(NotConfigured, match=r"reading the file .*refresh"):
        ProjectSecrets(project).take_over(path, "shop")


def test_a_folder_that_is_read_only_keeps_its_file(project: Project) -> None:
    folder = project.folder / "secrets"
    folder.mkdir()
    (folder / "refresh").write_text("token")
    folder.chmod(0o500)
    try:
        taken = ProjectSecrets(project).take_over(folder / "refresh", "shop")
        assert (taken, (folder / "refresh").exists()) in ((None, True), ("@file/secrets/refresh", False))  # root may
    finally:
        folder.chmod(0o700)
