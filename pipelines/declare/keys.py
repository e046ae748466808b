"""``keys:`` in a file in ``policies/``: which provider has the key-encryption key; and the keys of a project.

::

    policies/keys.yaml:3: keys.key_id: is missing
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from leat.pipelines.declare.diagnostics import diagnostic_line, validation_diagnostics
from leat.pipelines.declare.project_folder import Project
from leat.pipelines.declare.yaml_file import DeclarationError, YamlFile, read_yaml
from leat.sources.settings import Named, Secret, Setting, read_secret, read_setting

if TYPE_CHECKING:  # a process that uses no key shouldn't import SQLAlchemy
    from leat.control.keys.provider import Provider
    from leat.control.keys.tree import Keys

_LOCAL = ("localhost", "127.0.0.1", "::1")


def _not_stored(named: str | Named) -> str | Named:
    if isinstance(named, Named) and named.secret is not None:
        msg = "stored secrets are encrypted with this very key; name a variable or a file: {env: NAME} or {file: path}"
        raise ValueError(msg)
    return named


def is_over_tls(url: str) -> bool:
    """Return whether what is sent to an address is encrypted on the way, or never leaves the machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)


def _over_tls(url: str | Named) -> str | Named:
    if isinstance(url, str) and not is_over_tls(url):
        msg = "has to begin with https://, for the data keys go there"
        raise ValueError(msg)
    return url


_Setting = Annotated[Setting, AfterValidator(_not_stored)]
_Url = Annotated[Setting, AfterValidator(_not_stored), AfterValidator(_over_tls)]


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    previous: AnyKeys | None = Field(
        default=None, description="Where the key was, until `leat keys rotate --kek` has wrapped all data keys again."
    )

    @field_validator("previous")
    @classmethod
    def _one_before(cls, value: AnyKeys | None) -> AnyKeys | None:
        if value is not None and value.previous is not None:
            msg = "a previous provider has no previous one: run `leat keys rotate --kek` after each change"
            raise ValueError(msg)
        return value


class FileKeys(_Declared):
    """A file with mode 0600."""

    provider: Literal["file"] = Field(description="A file with mode 0600, which leat creates once.")
    path: str | None = Field(default=None, description="The file; kek.key in the state folder if left out.")


class EnvKeys(_Declared):
    """An environment variable."""

    provider: Literal["env"] = Field(description="An environment variable with the Base64 of 32 bytes.")
    variable: str = Field(default="LEAT_KEK", min_length=1, description="Its name.")


class KeyringKeys(_Declared):
    """The keyring of the operating system."""

    provider: Literal["keyring"] = Field(description="The keyring of the operating system; needs leat[keyring].")
    service: str | None = Field(default=None, description="Name in the keyring; leat and the state folder if left out.")


class AwsKmsKeys(_Declared):
    """AWS KMS."""

    provider: Literal["aws_kms"] = Field(description="A key of AWS KMS, which never leaves it.")
    key_id: _Setting = Field(description="Id, ARN or alias of the key.")
    region: _Setting | None = Field(default=None, description="Its region; that of the AWS configuration if left out.")
    url: _Url | None = Field(default=None, description="Address of a service like KMS that isn't AWS.")


class VaultKeys(_Declared):
    """HashiCorp Vault or OpenBao."""

    provider: Literal["vault"] = Field(description="A key of the transit engine of Vault or OpenBao.")
    url: _Url = Field(description="Address of Vault.")
    key: str = Field(pattern="^[A-Za-z0-9_.-]+$", description="Name of the key.")
    token: Annotated[Secret, AfterValidator(_not_stored)] = Field(description="Token that may use the key.")
    mount: str = Field(default="transit", pattern="^[A-Za-z0-9_./-]+$", description="Path of the engine.")
    namespace: str | None = Field(default=None, description="Namespace, in Vault Enterprise.")


AnyKeys = Annotated[FileKeys | EnvKeys | KeyringKeys | AwsKmsKeys | VaultKeys, Field(discriminator="provider")]


"""What is declared under ``keys``: which provider has the key-encryption key."""
for _model in (FileKeys, EnvKeys, KeyringKeys, AwsKmsKeys, VaultKeys):
    _model.model_rebuild()


class _KeysFile(BaseModel):
    keys: AnyKeys


def read_keys(project: Project) -> AnyKeys:
    """Return what the files in ``policies/`` say under ``keys``; without that, a file in the state folder.

    Nothing else in them is looked at.

    Raises:
        DeclarationError: with all mistakes.
    """
    files: list[tuple[YamlFile, str]] = []
    for path in sorted((project.folder / "policies").glob("*.yaml")):
        if path.name.startswith(".") or b"keys" not in path.read_bytes():
            continue
        file = read_yaml(path, project.shown(path))
        if isinstance(file.value, dict) and file.value.get("keys") is not None:
            files.append((file, project.shown(path)))
    if not files:
        return FileKeys(provider="file")
    if len(files) > 1:
        raise DeclarationError([diagnostic_line(*each, ("keys",), "is in another file already") for each in files[1:]])
    file, shown = files[0]
    try:
        return _KeysFile.model_validate({"keys": file.value["keys"]}).keys
    except ValidationError as error:
        raise DeclarationError(validation_diagnostics(file, shown, error, _KeysFile, ())) from error


class _Opened:
    lock = threading.Lock()
    keys: dict[tuple[Path, str], Keys] = {}  # noqa: RUF012 - it is shared on purpose


def keys_of(project: Project) -> Keys:
    """Return the data keys of a project; the same for all of a process, so that each is unwrapped once.

    Raises:
        DeclarationError: a file in ``policies/`` has a mistake under ``keys``.
        WarehouseError: the control store can't be opened.
    """
    at = project.state, project.control_url
    with _Opened.lock:
        if at not in _Opened.keys or _is_gone(_Opened.keys[at]):
            from leat.control.keys.tree import open_keys
            from leat.control.store import open_control

            declared = read_keys(project)
            previous = None if declared.previous is None else provider_of(declared.previous, project)
            engine = open_control(project.control_url, pooled=False)  # nobody closes it
            _Opened.keys[at] = open_keys(engine, provider_of(declared, project), previous)
        return _Opened.keys[at]


def _is_gone(keys: Keys) -> bool:
    """Return whether the file of the control store was removed, so that it has to be made again."""
    url = keys.engine.url
    return url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists()


def provider_of(declared: AnyKeys, project: Project) -> Provider:
    """Return the provider that is declared; nothing is read of it yet.

    Raises:
        NotConfigured: a variable or a file that is named isn't there.
    """
    from leat.control.keys import kek_places

    match declared:
        case FileKeys():
            path = project.folder / declared.path if declared.path else project.state / kek_places.FILE
            return kek_places.file_provider(path)
        case EnvKeys():
            return kek_places.env_provider(declared.variable)
        case KeyringKeys():
            return kek_places.keyring_provider(declared.service or f"leat {project.state}")
        case AwsKmsKeys():
            from leat.control.keys.aws_kms import KmsProvider

            read = [None if each is None else read_setting(each, "keys", project.folder)
                    for each in (declared.region, declared.url)]  # fmt: skip
            return KmsProvider(read_setting(declared.key_id, "keys", project.folder), *read)
        case VaultKeys():
            from leat.control.keys.vault import VaultProvider

            url, token = read_setting(declared.url, "keys", project.folder), declared.token
            return VaultProvider(url, declared.key, lambda: read_secret(token, "keys", project.folder),
                                 declared.mount, declared.namespace)  # fmt: skip
