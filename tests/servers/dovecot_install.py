"""Dovecot's programs: those of the machine, or a copy of Debian's packages below this Python's own folder.

Nothing is installed and no root is needed: ``apt-get download`` fetches what ``apt-get --simulate install`` would
install, and the packages are unpacked. Dovecot finds its settings, libraries and programs where it is configured to,
but for one folder that is compiled in; its name is overwritten, shorter and
padded with NUL, as conda relocates programs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

MODULES = "modules"
"""Name of the compiled-in folder in a relocated copy; relative to the server's base folder, where it is linked."""

_PACKAGES = ("dovecot-imapd", "dovecot-lmtpd")
_COMPILED_IN = b"/usr/lib/dovecot/modules\0"
_ADVICE = (
    "install the packages dovecot-imapd and dovecot-lmtpd, for example: apt-get install dovecot-imapd dovecot-lmtpd"
)


@dataclass(frozen=True, slots=True)
class Dovecot:
    """Where Dovecot's programs are.

    Attributes:
        master: the program ``dovecot``.
        doveconf: the program that reads the settings and starts ``master``.
        root: folder of an unpacked copy, None for the machine's own installation.
    """

    master: Path
    doveconf: Path
    root: Path | None

    @property
    def libexec(self) -> Path:
        """Return the folder of the programs that it starts, of its libraries and of its modules."""
        return (self.root or Path("/")) / "usr" / "lib" / "dovecot"

    def environment(self) -> dict[str, str]:
        """Return the variables that its programs need to find their libraries."""
        if self.root is None:
            return {}
        shared = [path for path in (self.root / "usr" / "lib", self.root / "lib") if path.is_dir()]
        folders = [str(path) for top in shared for path in top.glob("*-linux-*") if path.is_dir()]
        return {"LD_LIBRARY_PATH": ":".join([str(self.libexec), str(self.libexec / MODULES / "old-stats"), *folders])}


def find_dovecot() -> Dovecot:
    """Return Dovecot's programs; fetches and unpacks them at first when the machine has none.

    Raises:
        RuntimeError: the machine has none, and they can't be fetched.
    """
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    master, doveconf = shutil.which("dovecot", path=search), shutil.which("doveconf", path=search)
    if master and doveconf:
        return Dovecot(Path(master), Path(doveconf), None)
    root = Path(sys.prefix) / "dovecot"
    if not root.exists():
        _unpack_to(root)
    return unpacked(root)


def unpacked(root: Path) -> Dovecot:
    """Return the programs of an unpacked copy."""
    return Dovecot(root / "usr" / "sbin" / "dovecot", root / "usr" / "bin" / "doveconf", root)


def _unpack_to(root: Path) -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        msg = f"there is no dovecot here and no apt-get to fetch it: {_ADVICE}"
        raise RuntimeError(msg)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=".dovecot-") as draft:
        folder = Path(draft)
        for package in _download(folder):
            _run(["dpkg-deb", "-x", str(package), str(folder / "root")])
        _relocate(folder / "root" / "usr" / "lib" / "dovecot")
        try:
            (folder / "root").rename(root)
        except OSError:  # another process was faster
            if not root.exists():
                raise


def _download(folder: Path) -> list[Path]:
    """Fetch the packages that would be installed; with the machine's lists of packages, or with lists of our own."""
    options: list[str] = []
    try:
        listing = _simulate(options)
    except RuntimeError:
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / "apt" / name).mkdir(parents=True)
        options = ["-o", f"Dir::State::lists={folder}/apt/lists", "-o", f"Dir::Cache={folder}/apt/cache"]
        _run(["apt-get", *options, "update"])
        listing = _simulate(options)
    names = re.findall(r"^Inst (\S+)", listing, re.MULTILINE)
    _run(["apt-get", *options, "download", *names], folder)
    return sorted(folder.glob("*.deb"))


def _simulate(options: list[str]) -> str:
    return _run(["apt-get", *options, "--simulate", "--no-install-recommends", "install", *_PACKAGES])


def _run(argv: list[str], folder: Path | None = None) -> str:
    env = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        msg = f"there is no dovecot here, and {' '.join(argv[:2])} failed: {done.stderr[-500:].strip()}. {_ADVICE}"
        raise RuntimeError(msg)
    return done.stdout


def _relocate(libexec: Path) -> None:
    library = (libexec / "libdovecot.so.0").resolve()
    content = library.read_bytes()
    if content.count(_COMPILED_IN) != 1:
        msg = f"this version of Dovecot can't be moved to another folder. {_ADVICE}"
        raise RuntimeError(msg)
    library.write_bytes(content.replace(_COMPILED_IN, MODULES.encode().ljust(len(_COMPILED_IN), b"\0")))
