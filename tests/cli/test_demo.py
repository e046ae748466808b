"""What ``leat demo`` says before it starts anything, and when one of its servers has ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from leat.cli.demo import _install_command
from leat.demo.servers.process import free_port, is_running
from leat.demo.site import DASHBOARD, open_site


@pytest.mark.parametrize(
    ("file", "text", "command"),
    [
        ("uv-receipt.toml", "[tool]\n", "uv tool install --force 'leat[demo]'"),
        ("pipx_metadata.json", "{}\n", "pipx install --force 'leat[demo]'"),
        ("pyvenv.cfg", "home = /usr/bin\nuv = 0.9.5\n", "uv pip install 'leat[demo]'"),
        ("pyvenv.cfg", "home = /usr/bin\n", "pip install 'leat[demo]'"),
    ],
)
def test_the_extra_is_installed_by_what_installed_leat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str, command: str
) -> None:
    (tmp_path / file).write_text(text)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert _install_command() == command


def test_a_process_that_ended_and_was_not_waited_for_is_not_running() -> None:
    """A zombie of another parent: this process's own are waited for."""
    reader, writer = os.pipe()
    seen, looked = os.pipe()
    parent = os.fork()
    if parent == 0:  # its child ends at once, and it never waits for it
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        os.write(writer, str(child).encode())
        os.read(seen, 1)  # until the test has looked
        os._exit(0)
    child = int(os.read(reader, 20))
    assert Path(f"/proc/{child}").exists()
    assert not is_running(child)
    os.write(looked, b"x")
    os.waitpid(parent, 0)
    assert not is_running(parent)
    assert is_running(os.getpid())


def test_the_dashboard_gets_its_usual_port_unless_that_is_taken(tmp_path: Path) -> None:
    site = open_site(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        assert site.reserve(DASHBOARD, taken)
        chosen = site.company.ports[DASHBOARD]
        assert chosen != taken
        assert not site.reserve(DASHBOARD, taken), "it is that of before"
        assert site.company.ports == {DASHBOARD: chosen}
    usual = free_port()
    site = open_site(tmp_path / "another")
    assert site.reserve(DASHBOARD, usual)
    assert site.company.ports == {DASHBOARD: usual}


def test_no_two_processes_get_the_same_port(tmp_path: Path) -> None:
    """Although the global source of random numbers is seeded alike in each, as property-based tests do it."""
    code = "import random; random.seed(0)\nfrom leat.demo.servers.process import free_port as port\n"
    code += "print(*(port() for _ in range(40)))"
    argv, env = [sys.executable, "-c", code], {**os.environ, "TMPDIR": str(tmp_path)}
    started = [subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    ports = [port for one in started for port in one.communicate()[0].split()]
    assert len(set(ports)) == len(ports) == 120
