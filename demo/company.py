"""The demo company as a whole: starts its servers, seeds them, and tells the variables that the declarations name.

The servers go on running after the demo, so that ``leat run`` and the Dagster UI find them; ``leat demo --stop`` ends
them. What was chosen at first (ports, passwords, the day that dates are counted from) is kept beside their data.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from demo import calendar_seed, git_seed
from demo.git_server import start_git_server
from demo.process import Process, free_port, is_listening, is_running, stop
from demo.radicale import start_radicale

_USER = "office"


@dataclass(frozen=True, slots=True)
class Company:
    """What was chosen when the company was first started.

    Attributes:
        began_at: the day that the dates of the seeds are counted from, ISO 8601.
        password: of ``office``, the account that reads everything.
        ports: TCP port by server.
        pids: process by server; stale when the machine was restarted.
    """

    began_at: str
    password: str
    ports: dict[str, int]
    pids: dict[str, int]


def start_company(folder: Path, checkout: Path, repositories: Sequence[str], tell: Callable[[str], None]) -> None:
    """Start what isn't running, seed what isn't seeded, and write the variables to ``<folder>/env``.

    Args:
        folder: where everything of the demo is kept.
        checkout: this project's own repository.
        repositories: addresses of further git repositories to serve.
        tell: called with what is being done.

    Raises:
        RuntimeError: a server did not start; the text has the end of its log.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    company = _read(folder)
    began_at = datetime.fromisoformat(company.began_at)
    tell("git repositories")
    root = folder / "repositories"
    root.mkdir(exist_ok=True)
    served = git_seed.seed_repositories(root, began_at, checkout, repositories)
    git = _running(company, "git") or start_git_server(
        folder / "git", root, _port(company, "git"), _USER, company.password
    )
    tell("calendars")
    users = {
        _USER: company.password,
        **dict.fromkeys((*calendar_seed.PEOPLE, *calendar_seed.LEAVERS), company.password),
    }
    radicale = _running(company, "radicale") or start_radicale(folder / "radicale", users, _port(company, "radicale"))
    calendar = f"http://127.0.0.1:{radicale.port}/"
    calendar_seed.seed_calendars(calendar, folder / "radicale", users, began_at)
    processes = {"git": git, "radicale": radicale}
    _write(folder, company, processes)
    addresses = " ".join(f"http://127.0.0.1:{git.port}/{repository.name}" for repository in served)
    _write_private(
        folder / "env",
        f"CALENDAR_URL={calendar}\nCALENDAR_USERNAME={_USER}\nCALENDAR_PASSWORD={company.password}\n"
        f'CALENDAR_STORAGE="{folder.resolve() / "radicale" / "collections" / "collection-root"}"\n'
        f'VERSION_CONTROL_REPOSITORIES="{addresses}"\n'
        f"VERSION_CONTROL_USERNAME={_USER}\nVERSION_CONTROL_PASSWORD={company.password}\n",
    )


def stop_company(folder: Path) -> Iterator[str]:
    """End the servers that run; yields the name of each."""
    company = _read(folder)
    for name, pid in company.pids.items():
        if _running(company, name):
            stop(pid)
            yield name


def _read(folder: Path) -> Company:
    try:
        return Company(**json.loads((folder / "company.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Company(datetime.now(UTC).replace(microsecond=0).isoformat(), secrets.token_urlsafe(18), {}, {})


def _write(folder: Path, company: Company, processes: dict[str, Process]) -> None:
    ports = {name: process.port for name, process in processes.items()}
    pids = {name: process.pid for name, process in processes.items()}
    value = asdict(Company(company.began_at, company.password, ports, pids))
    _write_private(folder / "company.json", json.dumps(value, indent=2))


def _write_private(path: Path, text: str) -> None:
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _running(company: Company, name: str) -> Process | None:
    """Return the server as it was started before, if that process still listens on its port."""
    pid, port = company.pids.get(name), company.ports.get(name)
    if pid is None or port is None or not is_running(pid) or not is_listening(port):
        return None
    return Process(name, pid, port, Path(os.devnull))


def _port(company: Company, name: str) -> int:
    """Return the port of before where it is free, so that addresses stay."""
    before = company.ports.get(name)
    return before if before is not None and not is_listening(before) else free_port()
