"""The secrets that leat stores for a project: set, list, remove; and which of those that are named are missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from leat.runs.workspace import Workspace
from leat.sources.driver import SetupTest
from leat.sources.egress import check_url
from leat.sources.errors import NotConfigured
from leat.sources.settings import Named, named_in, read_setting, remember_secret

if TYPE_CHECKING:
    from leat.control.secret_store import SecretRow, SecretStore

MOST_BYTES = 65_536


class BadSecret(Exception):
    """A secret can't be stored; the text says why."""


def list_secrets(workspace: Workspace) -> list[SecretRow]:
    """Return all secrets by name, without their values.

    Raises:
        WarehouseError: the control store can't be opened.
    """
    return _store(workspace).rows()


def set_secret(workspace: Workspace, name: str, value: str, *, rotated: bool = False) -> None:
    """Store a secret in place of the one of this name.

    Args:
        workspace: the project.
        name: its name.
        value: the secret.
        rotated: whether there has to be one, with another value.

    Raises:
        BadSecret: the name or the value can't be one.
        KeyProblem: the key-encryption key isn't there, or isn't the right one.
    """
    from leat.control.secret_store import NAME

    store = _store(workspace)
    if not NAME.fullmatch(name):
        msg = f"{name[:40]!r}: a name has up to 100 letters, digits, - _ and ., and begins with a letter"
        raise BadSecret(msg)
    if not value or len(value.encode()) > MOST_BYTES:
        msg = "the value is empty" if not value else f"the value has more than {MOST_BYTES:,} bytes"
        raise BadSecret(msg)
    remember_secret(value)
    if rotated:
        before = store.read(name)
        if before is None:
            msg = f"there is no secret {name}. Next: `leat secret set {name}` sets it"
            raise BadSecret(msg)
        if before == value:
            msg = f"{name} has this value already; create a new one where it comes from"
            raise BadSecret(msg)
    store.write(name, value, "secret.rotated" if rotated else "secret.set")


def remove_secret(workspace: Workspace, name: str) -> bool:
    """Remove a secret; return whether there was one.

    Raises:
        WarehouseError: the control store can't be opened.
    """
    return _store(workspace).remove(name)


def uses_of(workspace: Workspace, name: str) -> list[str]:
    """Return what names a secret: integrations, and the files of alerts, webhooks and policies.

    Raises:
        DeclarationError: a file has a mistake.
    """
    return sorted({where for where, named in _all_named(workspace) if named.secret == name})


def missing_secrets(workspace: Workspace) -> dict[str, list[str]]:
    """Return the secrets that are named and not stored, each with what names it.

    Raises:
        DeclarationError: a file has a mistake.
        WarehouseError: the control store can't be opened.
    """
    named: dict[str, set[str]] = {}
    for where, each in _all_named(workspace):
        if each.secret is not None:
            named.setdefault(each.secret, set()).add(where)
    there = {row.name for row in list_secrets(workspace)} if named else set()
    return {name: sorted(where) for name, where in sorted(named.items()) if name not in there}


def policy_tests(workspace: Workspace) -> Iterator[SetupTest]:
    """Yield a finding for each stored secret that the files in ``policies/`` name, and each host that isn't permitted.

    Raises:
        DeclarationError: a file has a mistake.
    """
    yield from _refused_hosts(workspace)
    for where, named in _in_policies(workspace):
        if named.secret is not None:
            try:
                named.read(where, workspace.project.folder)
            except NotConfigured as error:
                detail = f"policies/: {where}: {error.got}. Next: {error.next_step}"
                yield SetupTest(f"secret {named.secret}", ok=False, detail=detail)
            else:
                yield SetupTest(f"secret {named.secret}", ok=True, detail=f"it is stored, for {where}")


def _refused_hosts(workspace: Workspace) -> Iterator[SetupTest]:
    """Yield a finding for each host that ``policies/`` declare and don't permit."""
    from leat.pipelines.declare.keys import read_keys

    sign_in, keys, folder = workspace.security.sign_in, read_keys(workspace.project), workspace.project.folder
    urls = [("sign_in", sign_in.issuer)] if sign_in is not None else []
    urls += [("keys", url) for url in (getattr(keys, "url", None), getattr(keys.previous, "url", None)) if url]
    for key, url in urls:
        try:
            check_url(key, read_setting(url, key, folder))
        except NotConfigured as error:
            yield SetupTest(key, ok=False, detail=f"{error.asked}: {error.got}. Next: {error.next_step}")


def _all_named(workspace: Workspace) -> Iterator[tuple[str, Named]]:
    from leat.hooks.out.declaration import load_webhooks
    from leat.quality.alerts.file import load_alerts

    for name, declaration in workspace.declarations.items():
        yield from ((name, each) for _, each in named_in((declaration.connection, declaration.hooks)))
    alerts = load_alerts(workspace.project, workspace.declarations)
    yield from (("quality/alerts.yaml", each) for _, each in named_in(alerts and alerts.channels))
    webhooks = load_webhooks(workspace.project, workspace.declarations)
    yield from (("quality/webhooks.yaml", each) for _, each in named_in(webhooks and webhooks.endpoints))
    yield from (("policies/", each) for _, each in _in_policies(workspace))


def _in_policies(workspace: Workspace) -> Iterator[tuple[str, Named]]:
    security = workspace.security
    for key, declared in (("sign_in", security.sign_in), ("audit", security.audit)):
        yield from ((key, named) for _, named in named_in(declared))


def _store(workspace: Workspace) -> SecretStore:
    from leat.pipelines.declare.stored_secrets import secret_store

    return secret_store(workspace.project)
