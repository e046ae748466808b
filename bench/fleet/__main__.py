"""What a fleet loses while everything in it is broken at random: nothing, and little time.

Run as root, with haproxy installed: ``python -m bench.fleet [--faults N] [--every SECONDS] [--servers N] [--lists N]
[--old COMMIT] [--no-ray] [--no-store] [--seed N]``.

Several `leat serve` share one Postgres, and 200 integrations that are due each minute. All are behind haproxy. Each is
a machine with a network, a name and processes of its own; nothing is sent to the real network. So are the head and
another machine of a Ray cluster, which alone loads some of the lists by `leat run --on` and others as the servers do,
and an object store, whose bucket is listed. All the time the systems change, webhooks arrive, runs are requested,
actions of each guarantee are approved, the API is asked, and analysts read the tables. Meanwhile processes and machines
are killed, machines are frozen and cut off, half the time past their leases, connections of the database are ended,
its postmaster is killed, and so are the object store, processes of Ray's head, and Ray's machines, one of which is also
frozen past its leases. With ``--old``, each start of a server is of that commit half the time. It ends with an error if

- a list or the bucket isn't in the end as its system has it, or a reader ever saw half of a load,
- a load was applied twice, or an integration has more loads than fences,
- a run counted as running more than 30 seconds after its lease ran out, or one that had ended ended once more in
  another way, such as a failed one as loaded after it was continued,
- an acknowledged webhook is lost or there twice, a requested run is lost or doesn't end, or an action had more or fewer
  effects than one,
- the API didn't answer anybody for longer than two seconds, or
- the audit log doesn't verify.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import psycopg2
import requests

from bench.fleet.bucket import DECLARATION as BUCKET
from bench.fleet.bucket import KEY, SECRET_KEY, Changing
from bench.fleet.faults import Faults
from bench.fleet.load import Load, under
from bench.fleet.machines import HERE, Machine, enter, make_bridge
from bench.fleet.ray import Submitted, ray_machine, wait_for_cluster
from bench.fleet.systems import DECLARATION, Systems, serving
from bench.fleet.verdict import judge, settle
from bench.serve_killed import SECRET, Asked
from tests.kit.acting import Acting, Desk, desk_server
from tests.kit.command import ROOT, Leat, tally_project
from tests.servers.postgres import USER

_PORT, _DATABASE, _STORE = 8765, 5432, 8333
_HEAD, _NODE = 4, 5
_OF_RAY = 4  # lists that only Ray loads, and as many that the servers load as well
_CHANGES = 10.0  # seconds between changes of a list, on average


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=500)
    parser.add_argument("--every", type=float, default=3.0, help="seconds between faults, on average")
    parser.add_argument("--servers", type=int, default=4)
    parser.add_argument("--lists", type=int, default=200)
    parser.add_argument("--old", help="a commit whose version is at work too")
    parser.add_argument("--ray", action=argparse.BooleanOptionalAction, default=find_spec("ray") is not None)
    parser.add_argument("--store", action=argparse.BooleanOptionalAction, default=True, help="an object store")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--logs", type=Path, help="an empty folder for the logs of the machines")
    parser.add_argument("--within", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.within:
        raise SystemExit(enter([sys.executable, "-m", "bench.fleet", *sys.argv[1:], "--within"]))
    make_bridge()
    with tempfile.TemporaryDirectory(prefix="leat-fleet-") as name, desk_server(HERE) as desk:
        systems = Systems(given.lists)
        with serving(systems, HERE) as address:
            Path(name).chmod(0o755)
            broken = _measure(Path(name), given, systems, address, desk)
    if broken:
        raise SystemExit("\n".join(broken))
    print("nothing was broken")


def _measure(folder: Path, given: argparse.Namespace, systems: Systems, address: str, desk: Desk) -> list[str]:
    log = given.logs or folder / "logs"
    log.mkdir(exist_ok=True)
    data = folder / "postgres"
    run = [sys.executable, "-m"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    database = Machine(3, [*run, "bench.fleet.database", str(data), str(_DATABASE)], env, log / "database")
    database.start()
    url = _database_url(data, database.address)
    alone = [f"list_{number:03d}" for number in range(given.lists - _OF_RAY, given.lists)] if given.ray else []
    project = _project(folder, given.lists, address, desk, alone)
    leat = Leat(project, {"LEAT_WAREHOUSE": url, "LEAT_CONTROL": url, "LEAT_HOME": str(folder / "here"),
                          "HOOK": SECRET, "BENCH_S3_SECRET": SECRET_KEY})  # fmt: skip
    more: list[Machine] = []
    submitted, bucket = None, None
    if given.ray:
        more, submitted = _ray(folder, leat, alone, log)
        for machine in more:
            machine.start()  # before the servers: the parts of Ray wait for each other for half a minute only
        wait_for_cluster(submitted.url, (folder / "token").read_text(), len(more))
    store = None
    if given.store:
        argv = [*run, "bench.fleet.store", str(folder / "seaweedfs"), str(_STORE)]
        store = Machine(6, argv, env, log / "store")
        bucket = Changing(f"http://{store.address}:{_STORE}")
        text = BUCKET.format(url=bucket.url, key=KEY)
        (project / "pipelines" / "bucket.yaml").write_text(text)
    tokens = [leat.json("tokens", "create", f"bench-{n}", "--expires", "P1D")["token"] for n in range(6)]
    servers = [_server(n, leat, folder, log, _checkouts(folder, given.old)) for n in range(given.servers)]
    for server in (*([store] if store else []), *servers):
        server.start()
    proxy = Machine(2, ["haproxy", "-db", "-f", _configured(folder, servers)], env, log / "haproxy")
    proxy.start()
    os.environ.update({"LEAT_WAREHOUSE": url, "LEAT_CONTROL": url})
    with contextlib.ExitStack() as stack, Acting(project, url).office() as office:
        for machine in (database, *servers, proxy, *more, *([store] if store else [])):
            stack.callback(machine.kill)  # before the folder goes
        load = Load(f"http://{proxy.address}", tokens, office, url, given.lists, submitted, bucket)
        if bucket is not None:
            bucket.make()
        _until_answered(load)
        if broken := settle(load, systems):  # the first minute of the schedule
            return broken
        load.asked = Asked()
        with under([*load.works(), (systems.change, _CHANGES / given.lists)]):
            faults = Faults(servers, database, url, given.seed, more, store)
            began = time.monotonic()
            faults.break_things(given.faults, given.every)
            print(f"{systems.changes:,} changes, {faults.done.total()} faults in {time.monotonic() - began:.0f} s:"
                  f" {dict(faults.done)}")  # fmt: skip
        broken = settle(load, systems)
        return broken + judge(load, desk, leat, faults)


def _ray(folder: Path, leat: Leat, alone: list[str], log: Path) -> tuple[list[Machine], Submitted]:
    """Return the machines of a Ray cluster, whose head runs no jobs, and what submits some."""
    (folder / "token").write_text(secrets.token_hex(32))
    (folder / "ray").mkdir()
    access = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(folder / "token")}
    leat = Leat(leat.folder, {**leat.variables, **access})
    machines = [ray_machine(number, _HEAD, folder, leat, cpus, log) for number, cpus in ((_HEAD, 0), (_NODE, 2))]
    others = [f"list_{number:03d}" for number in range(_OF_RAY)]
    return machines, Submitted(leat, f"http://{machines[0].address}:8265", alone, others)


def _project(folder: Path, lists: int, address: str, desk: Desk, alone: list[str]) -> Path:
    project = folder / "project"
    project.mkdir()
    leat = tally_project(project)
    tally = leat.folder / "pipelines" / "tally.yaml"
    tally.write_text(tally.read_text() + "hooks: {scheme: stripe, secrets: [{env: HOOK}], refetch: false}\n")
    tally.with_name("desk.yaml").write_text(f"source: desk\ndriver: book\nconnection: {{url: '{desk.url}'}}\n")
    for number in range(lists):
        name, text = f"list_{number:03d}", DECLARATION.format(address=address, number=number)
        if name in alone:
            text = re.sub("^schedule: .*\n", "", text, flags=re.MULTILINE)
        tally.with_name(f"{name}.yaml").write_text(text)
    (project / "policies").mkdir()
    (project / "policies" / "keys.yaml").write_text("keys: {provider: file, path: kek.key}\n")
    return project


def _server(number: int, leat: Leat, folder: Path, log: Path, checkouts: list[str]) -> Machine:
    argv = [sys.executable, "-m", "bench.fleet.server", str(leat.folder), str(_PORT), *checkouts]
    own = {"LEAT_HOME": str(folder / f"state-{number}"), "LEAT_SERVER": str(number), "LEAT_URL": "https://10.77.0.2"}
    env = {**leat.env(own), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return Machine(11 + number, argv, env, log / f"server-{number}")


def _checkouts(folder: Path, old: str | None) -> list[str]:
    """Return the folders of the versions that are at work."""
    if not old:
        return []
    checkout = folder / "old"
    if not checkout.exists():
        checkout.mkdir()
        archive = subprocess.Popen(["git", "archive", old], cwd=ROOT, stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", str(checkout)], stdin=archive.stdout, check=True)
    return [str(ROOT), str(checkout)]


def _database_url(data: Path, address: str) -> str:
    while True:
        try:
            password = (data / "password").read_text(encoding="ascii")
            url = f"postgresql://{USER}:{password}@{address}:{_DATABASE}/postgres?sslmode=disable"
            psycopg2.connect(url).close()
        except (OSError, psycopg2.OperationalError):
            time.sleep(0.1)
        else:
            return url


def _configured(folder: Path, servers: list[Machine]) -> str:
    """Write docs/haproxy.cfg with the addresses here, and without TLS."""
    text = (ROOT / "docs" / "haproxy.cfg").read_text(encoding="utf-8")
    text = re.sub(r"bind :443 .*", "bind :80", text).replace("hdr Host leat.example.com", "hdr Host 10.77.0.2")
    lines = (f"    server s{n} {server.address}:{_PORT} cookie s{n}\n" for n, server in enumerate(servers))
    text = re.sub(r"(?:^    server (?:one|two) .*\n?)+", "".join(lines), text, flags=re.MULTILINE)
    path = folder / "haproxy.cfg"
    path.write_text(text)
    return str(path)


def _until_answered(load: Load) -> None:
    deadline = time.monotonic() + 120
    by = {"Authorization": f"Bearer {load.tokens[0]}"}
    while True:
        try:
            if requests.get(f"{load.url}/v1/integrations", headers=by, timeout=5).ok:
                return
        except requests.RequestException:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(load.url)
        time.sleep(0.2)


if __name__ == "__main__":
    main()
