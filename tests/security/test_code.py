"""What leat's own code may not use: shells, evaluation, archives, pickles, weak hashes, chance that can be guessed.

What is nowhere called can't be attacked. The tests read the syntax tree of every module, so a new use is seen at once.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.kit.command import ROOT

FOLDERS = ("leat", "assets", "dagster_project", "pipelines", "quality", "sources", "warehouse")
NEVER_IMPORTED = {
    "zipfile", "tarfile", "lzma", "bz2", "zipimport", "pickle", "marshal", "shelve", "dill", "lxml", "xml.sax",
    "xml.dom.minidom", "xml.dom.pulldom", "telnetlib", "ftplib",
}  # fmt: skip
NEVER_CALLED = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "subprocess.getoutput",
    "subprocess.getstatusoutput", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "tempfile.mktemp",
}  # fmt: skip
WEAK = {
    "md5": {"sources/rest_api/reading/watermark.py", "sources/rest_api/rows/records.py"},
    "sha1": {"leat/hooks/signatures.py"},
}
"""Modules that may name a weak hash: to notice that a record has changed, and for the signature of one vendor."""
KEYS = {"Ed25519PrivateKey", "Ed25519PublicKey", "AESGCM", "AESSIV", "HKDF", "SHA256", "hmac", "secrets", "hashlib"}
"""The primitives that docs/security/asvs.md lists."""


@cache
def modules() -> dict[str, ast.Module]:
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield module and name of what is imported; no name for a whole module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((each.name, "") for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", each.name) for each in node.names)


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_no_module_opens_archives_or_unpickles() -> None:
    found = {(path, name) for path, tree in modules().items() for name, _ in imports(tree) if name in NEVER_IMPORTED}
    assert found == set()
    packed = {path for path, tree in modules().items() for name, _ in imports(tree) if name == "gzip"}
    assert packed == {"sources/sso/canaille/log_files.py"}
    of_xml = {each for tree in modules().values() for name, each in imports(tree) if name == "xml.etree.ElementTree"}
    assert of_xml == {"Element", "TreeBuilder"}, "XML is parsed by sources/http/safe_xml.py alone"


def test_nothing_is_evaluated_and_no_shell_is_started() -> None:
    found = []
    for path, tree in modules().items():
        for name, call in calls(tree):
            shell = [each for each in call.keywords if each.arg == "shell"]
            if name in NEVER_CALLED or shell:
                found.append(f"{path}:{call.lineno}: {name}")
    assert found == []


def test_chance_that_matters_cannot_be_guessed() -> None:
    """Only waiting times, names of copies and the order of runs may come from ``random``."""
    used = {path for path, tree in modules().items() for name, _ in imports(tree) if name in ("random", "numpy.random")}
    assert used <= {"sources/retry.py", "sources/http/backoff.py", "sources/http/concurrency.py",
                    "leat/serve/worker.py"}, used  # fmt: skip


def test_weak_hashes_are_used_for_nothing_secret() -> None:
    for weak, allowed in WEAK.items():
        named = {
            path
            for path, tree in modules().items()
            for node in ast.walk(tree)
            if (isinstance(node, ast.Attribute) and node.attr == weak)
            or (isinstance(node, ast.Name) and node.id == weak)
            or (isinstance(node, ast.Constant) and node.value == weak)
        }
        assert named <= allowed, (weak, named)
    for path in WEAK["md5"]:
        called = [call for name, call in calls(modules()[path]) if name == "hashlib.md5"]
        assert called
        assert all("usedforsecurity=False" in ast.unparse(call) for call in called), path


def test_the_primitives_are_those_that_are_documented() -> None:
    page = (ROOT / "docs" / "security" / "asvs.md").read_text(encoding="utf-8")
    used = {
        name
        for tree in modules().values()
        for module, name in imports(tree)
        if module.startswith("cryptography.hazmat.primitives.") and name[0].isupper()
    }
    ways = {"Encoding", "NoEncryption", "PrivateFormat", "PublicFormat"}
    assert [name for name in sorted(used - ways) if f"`{name}`" not in page] == []


def test_no_account_and_no_password_is_there_by_default(tmp_path: Path) -> None:
    """A new control store has nobody in it; the demo makes its passwords when it is first started."""
    from sqlalchemy import text

    from leat.control.store import open_control
    from leat.demo.site import open_site

    store = open_control(f"sqlite:///{tmp_path / 'control.db'}")
    with store.connect() as connection:
        for table in ("person", "access_session", "api_token"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0
    store.dispose()
    sites = [open_site(tmp_path / name) for name in ("one", "two")]
    assert sites[0].password != sites[1].password
    assert all(len(site.password) >= 24 for site in sites)
