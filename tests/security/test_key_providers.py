"""Providers of the key-encryption key: file, variable, keyring, KMS of moto, and Vault by a fake of its contract."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import keyring
import pytest
from keyrings.alt.file import PlaintextKeyring

from leat.control.keys.aws_kms import KmsProvider
from leat.control.keys.kek_places import env_provider, file_provider, keyring_provider
from leat.control.keys.problem import KeyProblem
from leat.control.keys.provider import Provider, Wrapped
from leat.control.keys.tree import open_keys
from leat.control.keys.vault import VaultProvider
from leat.control.store import open_control
from leat.demo.servers.process import running
from leat.pipelines.declare.keys import AwsKmsKeys, FileKeys, keys_of, provider_of, read_keys
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.security.policy_file import load_security
from leat.sources.settings import redact
from tests.servers.moto_server import start_moto
from tests.servers.vault_fake import VaultFake, vault_fake

KINDS = ("file", "env", "keyring", "aws_kms", "vault")
Make = Callable[[str], Provider]


@pytest.fixture(scope="module")
def kms_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(start_moto(tmp_path_factory.mktemp("moto"))) as process:
        yield f"http://127.0.0.1:{process.port}"


@pytest.fixture(scope="module")
def vault() -> Iterator[VaultFake]:
    with vault_fake() as fake:
        yield fake


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return what makes a provider of a kind; each time the same one."""
    monkeypatch.setenv("LEAT_KEK", base64.b64encode(b"k" * 32).decode())
    for name, value in (("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_CONFIG_FILE", "none")):
        monkeypatch.setenv(name, value)
    backend = PlaintextKeyring()
    backend.file_path = str(tmp_path / "keyring.cfg")
    keyring.set_keyring(backend)

    def provider(kind: str) -> Provider:
        if kind == "aws_kms":
            kms = KmsProvider("", "eu-central-1", request.getfixturevalue("kms_url"))
            made = kms._client().create_key()["KeyMetadata"]["KeyId"]  # type: ignore[attr-defined]
            return replace(kms, key_id=made)
        if kind == "vault":
            fake = request.getfixturevalue("vault")
            return VaultProvider(fake.url, "leat", lambda: fake.token)
        return {
            "file": file_provider(tmp_path / "kek.key"),
            "env": env_provider(),
            "keyring": keyring_provider("leat"),
        }[kind]

    return provider


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_wrapped_is_unwrapped_for_its_context_alone(make: Make, kind: str) -> None:
    provider = make(kind)
    assert provider.name == kind
    wrapped = provider.wrap(b"s" * 32, "secrets/1")
    assert wrapped.kek.startswith(f"{kind}:")
    assert provider.knows(wrapped.kek)
    assert not provider.knows("other:1")
    assert provider.unwrap(wrapped, "secrets/1") == b"s" * 32
    assert base64.b64encode(b"s" * 32).decode() not in wrapped.text
    with pytest.raises(KeyProblem) as caught:
        provider.unwrap(wrapped, "secrets/2")
    assert "Next: " in str(caught.value)
    with pytest.raises(KeyProblem):
        provider.unwrap(Wrapped(wrapped.kek, wrapped.text[:-12] + "AAAAAAAA" + wrapped.text[-4:]), "secrets/1")


@pytest.mark.parametrize("kind", ["file", "keyring", "aws_kms", "vault"])
def test_a_new_key_takes_the_place_of_the_old_one(make: Make, kind: str) -> None:
    provider = make(kind)
    old = provider.wrap(b"s" * 32, "x")
    with provider.renewed() as target:
        new = target.wrap(b"s" * 32, "x")
        assert provider.unwrap(old, "x") == b"s" * 32, "the old one is in use until then"
    assert provider.unwrap(new, "x") == b"s" * 32
    if kind in ("file", "keyring"):
        assert new.kek != old.kek
        with pytest.raises(KeyProblem, match="restore the right key"):
            provider.unwrap(old, "x")


@pytest.mark.parametrize("kind", KINDS)
def test_the_tree_grows_under_each(make: Make, kind: str, tmp_path: Path) -> None:
    store, provider = open_control(f"sqlite:///{tmp_path / 'control.db'}"), make(kind)
    key = open_keys(store, provider).data_key("secrets")
    again = open_keys(store, provider)
    again.check()
    assert again.by_kid(key.kid) == key
    store.dispose()


def test_a_variable_is_never_changed_by_leat(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = make("env")
    with pytest.raises(KeyProblem, match=r"can't change the variable LEAT_KEK.*keys\.previous"), provider.renewed():
        pass
    monkeypatch.delenv("LEAT_KEK")
    with pytest.raises(KeyProblem, match=r"LEAT_KEK isn't set\. Next: set it: LEAT_KEK="):
        provider.wrap(b"s" * 32, "x")
    monkeypatch.setenv("LEAT_KEK", "dG9vIHNob3J0")
    with pytest.raises(KeyProblem, match="expected the Base64 of 32 bytes") as caught:
        provider.wrap(b"s" * 32, "x")
    assert "dG9vIHNob3J0" not in str(caught.value)


def test_a_machine_without_a_keyring_says_so(make: Make) -> None:
    from keyring.backends.fail import Keyring

    provider = make("keyring")
    keyring.set_keyring(Keyring())
    with pytest.raises(KeyProblem, match=r"the keyring can't be used: NoKeyringError.*servers have no keyring"):
        provider.wrap(b"s" * 32, "x")


def test_kms_that_refuses_or_is_not_there_is_explained(make: Make, kms_url: str) -> None:
    make("aws_kms")
    missing = KmsProvider("00000000-0000-0000-0000-000000000000", "eu-central-1", kms_url)
    with pytest.raises(KeyProblem, match=r"AWS KMS refuses to encrypt .*NotFoundException.*kms:Encrypt"):
        missing.wrap(b"s" * 32, "x")
    with pytest.raises(KeyProblem, match=r"AWS KMS can't be asked to encrypt: .*check keys\.region"):
        replace(missing, url="http://127.0.0.1:9").wrap(b"s" * 32, "x")


def test_vault_that_refuses_or_is_not_there_is_explained(make: Make, vault: VaultFake) -> None:
    good = make("vault")
    wrapped = good.wrap(b"s" * 32, "x")
    for wrong, answer in (
        (VaultProvider(vault.url, "leat", lambda: "hvs.wrong-token"), "HTTP 403"),
        (VaultProvider(vault.url, "other", lambda: vault.token), "HTTP 404"),
        (VaultProvider("http://127.0.0.1:9", "leat", lambda: vault.token), "didn't answer"),
    ):
        with pytest.raises(KeyProblem, match=f"asked to encrypt with the key transit/.*{answer}") as caught:
            wrong.wrap(b"s" * 32, "x")
        assert "hvs." not in str(caught.value)
    vault.keys["transit/leat"].append(b"2" * 32)  # a new version, as `vault write -f transit/keys/leat/rotate` makes
    assert good.unwrap(wrapped, "x") == b"s" * 32
    assert good.wrap(b"s" * 32, "x").text.startswith("vault:v2:")


# -- what is declared -------------------------------------------------------------------------------------------------


def project_with(folder: Path, **files: str) -> Project:
    (folder / "policies").mkdir()
    for name, text in files.items():
        (folder / "policies" / f"{name}.yaml").write_text(text)
    return Project(folder, folder / ".leat", None, f"sqlite:///{folder / '.leat' / 'control.db'}")


def test_a_file_in_the_state_folder_is_the_default(tmp_path: Path) -> None:
    project = project_with(tmp_path, team="rules: []\nlocal_accounts: {monkeys: admin}\n")
    assert read_keys(project) == FileKeys(provider="file")
    key = keys_of(project).data_key("secrets")
    assert (tmp_path / ".leat" / "kek.key").exists()
    assert keys_of(project).data_key("secrets") is key, "it is unwrapped once"


def test_a_provider_is_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_KMS_KEY", "alias/leat")
    text = "keys:\n  provider: aws_kms\n  key_id: {env: OUR_KMS_KEY}\n  region: eu-central-1\n"
    text += "  previous: {provider: file}\n"
    project = project_with(tmp_path, keys=text)
    declared = read_keys(project)
    assert isinstance(declared, AwsKmsKeys)
    assert provider_of(declared, project) == KmsProvider("alias/leat", "eu-central-1")
    assert isinstance(declared.previous, FileKeys)
    assert load_security(project).policy is not None
    vault = "keys: {provider: vault, url: 'https://vault.example', key: leat, token: {env: OUR_VAULT_TOKEN}}\n"
    (tmp_path / "policies" / "keys.yaml").write_text(vault)
    monkeypatch.setenv("OUR_VAULT_TOKEN", "hvs.planted")
    provider = provider_of(read_keys(project), project)
    assert isinstance(provider, VaultProvider)
    assert provider.token() == "hvs.planted"
    assert redact("hvs.planted") == "***"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("keys:\n  provider: flie\n",
         "policies/keys.yaml:2: keys.provider: 'flie' is unknown; did you mean \"file\"?; valid: file, env, keyring, "),
        ("keys:\n  path: x\n", "policies/keys.yaml:1: keys.provider: is missing"),
        ("keys:\n  provider: aws_kms\n", "policies/keys.yaml:1: keys.key_id: is missing"),
        ("keys:\n  provider: env\n  varable: X\n", 'keys.yaml:3: keys.varable: unknown key; did you mean "variable"?'),
        ("keys: {provider: vault, url: 'http://vault.example', key: a, token: {env: T}}\n", "has to begin with https://"),
        ("keys: {provider: vault, url: 'https://v', key: a, token: hvs.abc}\n", "a secret is never written here"),
        ("keys: {provider: vault, url: 'https://v', key: a, token: {secret: T}}\n", "encrypted with this very key"),
        ("keys: {provider: file, previous: {provider: env, previous: {provider: file}}}\n", "has no previous one"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_line(tmp_path: Path, text: str, message: str) -> None:
    project = project_with(tmp_path, keys=text)
    for read in (read_keys, load_security):
        with pytest.raises(DeclarationError) as caught:
            read(project)
        assert message in str(caught.value)


def test_two_files_can_not_both_say_where_the_key_is(tmp_path: Path) -> None:
    project = project_with(tmp_path, a="keys: {provider: file}\n", b="\nkeys: {provider: env}\n")
    for read in (read_keys, load_security):
        with pytest.raises(DeclarationError, match=r"policies/b.yaml:2: keys: is in another file already"):
            read(project)
