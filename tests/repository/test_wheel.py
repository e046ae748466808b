"""What is built: one import name, every file in its place, and commands that work where there is no checkout."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from leat.demo.seed.git_history import git
from leat.demo.servers.process import free_port
from tests.kit.command import ROOT

UV = str(Path(sys.executable).with_name("uv"))
_LINKED = {path.name for path in (ROOT / "leat").iterdir() if path.is_symlink() and path.is_dir()}
_SBOM = "sboms/leat.cdx.json"
_AROUND = {"CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "dagster.yaml", "hatch_build.py", "pyproject.toml",
           "workspace.yaml", _SBOM}  # fmt: skip


@dataclass(frozen=True)
class Built:
    wheel: Path
    sdist: Path


@dataclass(frozen=True)
class Installed:
    """The wheel in an environment of its own, and a repository that has nothing to do with leat.

    Attributes:
        python: the Python of the environment.
        folder: the repository, with one commit.
    """

    python: Path
    folder: Path

    @property
    def env(self) -> dict[str, str]:
        """Nothing of the caller's but where programs are."""
        return {**{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}, "COLUMNS": "200"}

    def __call__(self, *args: str) -> subprocess.CompletedProcess[str]:
        argv = [str(self.python.with_name("leat")), *args]
        return subprocess.run(argv, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False)


def uv(*args: str, **variables: str) -> None:
    """Run uv with what is in its cache, else with the package index."""
    for offline in ([UV, "--offline"], [UV]):
        env = {**os.environ, "UV_LINK_MODE": "symlink", **variables}  # an environment of links costs no space
        done = subprocess.run([*offline, "-q", *args], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
    raise AssertionError(done.stderr)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build the source distribution, and the wheel from it."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(["make", "-s", "sbom"], cwd=ROOT, check=True, capture_output=True)
    uv("build", "--out-dir", str(folder))
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(wheel, sdist)


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Install the wheel and what it needs, in the locked versions and without any extra."""
    venv, folder = tmp_path_factory.mktemp("installed") / "venv", tmp_path_factory.mktemp("elsewhere")
    locked = ("--frozen", "--no-dev", "--no-install-project", "--no-compile-bytecode")
    uv("sync", *locked, "--python", sys.executable, UV_PROJECT_ENVIRONMENT=str(venv))
    python = venv / "bin" / "python"
    uv("pip", "install", "--no-deps", "--python", str(python), str(built.wheel))
    uv("pip", "check", "--python", str(python))  # the lock has everything that the wheel asks for
    git(folder, "init", "-q", "-b", "main")
    git(folder, "-c", "user.name=A", "-c", "user.email=a@x.example", "commit", "-q", "--allow-empty", "-m", "Begin")
    return Installed(python, folder)


def shipped() -> set[str]:
    """Return what the wheel has to have: the files of leat/, and those of the folders that are linked in it."""
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    files = {path for path in listed if (ROOT / path).is_file()}  # a link to a folder is none
    own = {path for path in files if path.startswith("leat/")}
    return own | {f"leat/{path}" for path in files if path.split("/")[0] in _LINKED}


def test_the_wheel_has_one_import_name_and_every_file_in_its_place(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        names = set(wheel.namelist())
        metadata = {name for name in names if re.match(r"leat-[\d.]+\.dist-info/", name)}
        linked = [each.filename for each in wheel.infolist() if each.external_attr >> 28 == 0o12]
    assert names - metadata == shipped()
    assert linked == [], "every link became the file that it leads to"
    assert {name for name in names if re.search(r"(^|/)(tests|bench|__pycache__|\.venv|\.leat)/", name)} == set()


def test_the_wheel_has_a_bill_of_materials(built: Built) -> None:
    """CycloneDX, in the folder of PEP 770: what the lock installs with the wheel, each version with its hashes."""
    with zipfile.ZipFile(built.wheel) as wheel:
        (name,) = [each for each in wheel.namelist() if each.endswith(".cdx.json")]
        sbom = json.loads(wheel.read(name))
    assert re.fullmatch(rf"leat-[\d.]+\.dist-info/{_SBOM}", name)
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.6")
    locked = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    versions = {(each["name"], each["version"]) for each in locked}
    listed = {(each["name"], each["version"]) for each in sbom["components"]}
    assert listed <= versions
    needed = {each["name"] for package in locked if package["name"] == "leat" for each in package["dependencies"]}
    assert needed <= {name for name, _ in listed}
    assert not {"pytest", "bandit", "trytond"} & {name for name, _ in listed}, "neither tests nor the demo"
    for each in sbom["components"]:
        assert each["purl"].startswith(f"pkg:pypi/{each['name']}@{each['version']}")
        assert [one for reference in each["externalReferences"] for one in reference["hashes"]], each["name"]


def test_the_source_distribution_has_the_package_and_nothing_else(built: Built) -> None:
    with tarfile.open(built.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {name for name in names if not name.startswith("leat/")} - {".gitignore"} == _AROUND
    assert {name for name in names if name.startswith("leat/")} == shipped()


def test_a_project_elsewhere_is_made_checked_loaded_read_and_opened(installed: Installed) -> None:
    argv = [installed.python, "-c", "import leat; print(leat.__file__)"]
    where = subprocess.run(argv, cwd=installed.folder, env=installed.env, capture_output=True, text=True, check=True)
    assert Path(where.stdout).is_relative_to(installed.python.parents[1])
    for command in ("init", "check", "run", "status", "docs"):
        done = installed(command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    done = installed("query", "--json", "SELECT subject FROM code.commits")
    assert json.loads(done.stdout)["rows"] == [{"subject": "Begin"}]
    assert re.fullmatch(r"leat [\d.]+\n", installed("--version").stdout)
    written = (installed.folder / "pipelines" / "schema.json").read_text()
    assert json.loads(installed("schema").stdout) == json.loads(written)
    with opened(installed) as url:
        assert locations(url) == {"leat": "RepositoryLocation"}


def test_the_package_has_what_the_demo_declares(installed: Installed) -> None:
    code = "from pathlib import Path; from leat.demo.project import write_project; write_project(Path('demo'))"
    subprocess.run([installed.python, "-c", code], cwd=installed.folder, env=installed.env, check=True)
    said = installed("--project", "demo", "check").stdout.splitlines()[0]
    names = ("pipelines/*.yaml", "assets/models/*.sql", "quality/rules/*.sql", "automations/*.yaml")
    declared = [len({path.name.split(".")[0] for path in ROOT.glob(name)}) for name in names]  # x.postgres.sql is x
    assert said == "✓ valid: {} declarations, {} models, {} rules and {} automations".format(*declared)


def test_the_demo_says_what_it_needs(installed: Installed) -> None:
    done = installed("demo")
    assert (done.returncode, done.stdout) == (2, "")
    assert "leat[demo]" in done.stderr


@contextlib.contextmanager
def opened(installed: Installed) -> Iterator[str]:
    """Start ``leat dev`` and yield its address when it answers."""
    port = free_port()
    url, log = f"http://127.0.0.1:{port}", installed.folder / "dev.log"
    with log.open("wb") as out:
        argv = [str(installed.python.with_name("leat")), "dev", "--port", str(port)]
        child = subprocess.Popen(
            argv, cwd=installed.folder, env=installed.env, stdout=out, stderr=out, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 120
        while not answers(url):
            assert child.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield url
    finally:
        child.send_signal(signal.SIGINT)  # as Ctrl+C does, it ends what it started
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def answers(url: str) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(f"{url}/server_info", timeout=30).ok
    return False


def locations(url: str) -> dict[str, Any]:
    """Return the code locations that the UI shows, and what became of each."""
    query = "{workspaceOrError {... on Workspace {locationEntries {name locationOrLoadError {__typename}}}}}"
    said = requests.post(f"{url}/graphql", json={"query": query}, timeout=60).json()
    entries = said["data"]["workspaceOrError"]["locationEntries"]
    return {entry["name"]: entry["locationOrLoadError"]["__typename"] for entry in entries}
