"""What a running `leat serve` loses while its processes are killed at random, under load: nothing, and little time.

Run: ``python -m bench.serve_killed [--kills N | --minutes M] [--every SECONDS]``. Any of the three processes is killed:
web, worker, or the supervisor, which is then started again as systemd does it, with a socket that outlives it. All the
time, webhooks arrive, actions of each guarantee are approved, and the API is asked. It ends with an error if

- a webhook that was acknowledged isn't in ``hooks.events``, or is there twice,
- an action that is guarded, natural or probed had another number of effects than one, or an unprobeable one had two,
- the API didn't answer for longer than two seconds, or
- of all requests, fewer than 99.9 % were answered right.

The server that is acted on is the fake of the tests, for it counts its effects.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from leat.actions.decide import approve
from leat.actions.office import Office
from leat.control.outbox import ActionRow, read_actions
from leat.demo.stripe.webhooks import sign
from tests.kit.acting import GUARANTEES, Acting, Desk, desk_server, planned
from tests.kit.command import LEAT, Leat, tally_project, then
from tests.kit.project import row, rows

SECRET = "whsec_of_the_bench"  # noqa: S105 - it protects nothing
GOAL_GAP, GOAL_SHARE = 2.0, 0.999
_TIMEOUT = 10
_OPEN = frozenset({"approved", "sending", "unknown", "done"})
_SETTLES = 60.0  # seconds until everything has to be applied and confirmed at the end


@dataclass
class Asked:
    """What came of the requests of one kind.

    Attributes:
        right: how many were answered right.
        wrong: what the others came to.
        last: when one was answered right last.
        gap: the longest time in seconds between two right answers.
        gaps: from when to when nobody got one for longer than a second.
    """

    right: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    last: float = field(default_factory=time.monotonic)
    gap: float = 0.0
    gaps: list[tuple[float, float]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, request: Callable[[], requests.Response], right: int) -> bool:
        """Make a request; return whether its status was the right one."""
        try:
            status = request().status_code
            said = str(status)
        except requests.RequestException as error:
            status, said = 0, type(error).__name__
        with self.lock:
            if status != right:
                self.wrong[said] += 1
                return False
            now = time.monotonic()
            if now - self.last > 1:
                self.gaps.append((self.last, now))
            self.right, self.gap, self.last = self.right + 1, max(self.gap, now - self.last), now
            return True

    @property
    def share(self) -> float:
        """How many of all were answered right, from 0 to 1."""
        return self.right / max(1, self.right + self.wrong.total())


class Serve:
    """The command as a unit of systemd runs it: the socket stays, and what ends is started again."""

    def __init__(self, leat: Leat) -> None:
        self._leat = leat
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._log = (leat.folder / "serve.log").open("ab")
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        port = str(self._listening.getsockname()[1])
        inherited = self._listening.fileno()
        command = 'exec 3<&"$0"; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
        argv = ["bash", "-c", command, str(inherited), LEAT, "serve", "--port", port, "--json"]
        return subprocess.Popen(
            argv,
            cwd=self._leat.folder,
            env=self._leat.env(),
            pass_fds=(inherited,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )

    def kill(self, name: str) -> None:
        """Kill a process, as soon as it is there."""
        if name == "supervisor":
            self.process.kill()
            self.process.wait()
            self.process = self._start()
            return
        asked = ["pgrep", "-P", str(self.process.pid), "-f", f"leat.serve.{name}"]
        while not (children := subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()):
            time.sleep(0.05)
        os.kill(int(children[0]), signal.SIGKILL)

    def end(self) -> None:
        """End it as systemd does."""
        self.process.terminate()
        self.process.wait(60)
        self._listening.close()
        self._log.close()


@contextmanager
def going(work: Callable[[], None], pause: float, ended: threading.Event) -> Iterator[None]:
    """Do something again and again in a thread of its own."""

    def go() -> None:
        while not ended.wait(pause):
            work()

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@dataclass
class Load:
    """What is asked of a server while its processes are killed, and what came of it."""

    serve: Serve
    office: Office
    token: str
    asked: Asked = field(default_factory=Asked)
    hooked: Asked = field(default_factory=Asked)
    acknowledged: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def hook(self) -> None:
        """Send a webhook."""
        event_id = f"evt_{next(self._numbers)}"
        body = json.dumps({"id": event_id, "type": "thing.changed"}).encode()
        signed = {"Stripe-Signature": sign(SECRET, body)}
        url = self.serve.url + "/hooks/tally"
        if self.hooked.ask(lambda: requests.post(url, body, headers=signed, timeout=_TIMEOUT), 200):
            self.acknowledged.add(event_id)

    def read(self) -> None:
        """Ask the API."""
        by = {"Authorization": f"Bearer {self.token}"}
        url = self.serve.url + "/v1/integrations"
        self.asked.ask(lambda: requests.get(url, headers=by, timeout=_TIMEOUT), 200)

    def act(self) -> None:
        """Plan an action and approve it."""
        number = next(self._numbers)
        action = planned(self.office, GUARANTEES[number % len(GUARANTEES)], f"place_{number}", 1)
        approve(self.office.store, action, "bob")

    def kill(self, kills: int, seconds: float, every: float) -> Counter[str]:
        """Kill processes under load; return how often each."""
        killed: Counter[str] = Counter()
        ended, until = threading.Event(), time.monotonic() + seconds
        with going(self.hook, 0.03, ended), going(self.hook, 0.03, ended), going(self.read, 0.05, ended), \
                going(self.act, 0.5, ended):  # fmt: skip
            while (killed.total() < kills) if kills else (time.monotonic() < until):
                time.sleep(random.uniform(0.5, 1.5) * every)  # noqa: S311 - no secret
                name = random.choice(("web", "worker", "supervisor"))  # noqa: S311
                self.serve.kill(name)
                killed[name] += 1
            time.sleep(every)
        return killed


def measure(folder: Path, kills: int, seconds: float, every: float) -> list[str]:
    """Serve under load and kill; return what was broken, and print what was measured."""
    leat = tally_project(folder, HOOK=SECRET)
    path = leat.folder / "pipelines" / "tally.yaml"
    path.write_text(path.read_text() + "hooks: {scheme: stripe, secrets: [{env: HOOK}], refetch: false}\n")
    then(leat, rows("fed", row(1, "one")))
    leat("run", "tally")
    token = leat.json("tokens", "create", "bench", "--expires", "P1D", "--role", "viewer")["token"]
    with desk_server() as desk:
        path.with_name("desk.yaml").write_text(f"source: desk\ndriver: book\nconnection: {{url: '{desk.url}'}}\n")
        serve = Serve(leat)
        try:
            with Acting(folder, f"sqlite:///{folder}/.leat/control.db").office() as office:
                load = Load(serve, office, token)
                while not load.asked.right:
                    load.read()
                load.asked = Asked()
                killed = load.kill(kills, seconds, every)
                late = time.monotonic() + _SETTLES
                while read_actions(office.store, states=_OPEN, limit=1) and time.monotonic() < late:
                    time.sleep(0.5)
                actions = read_actions(office.store)
            stored = events(leat)
            while not load.acknowledged <= set(stored) and time.monotonic() < late + _SETTLES:
                time.sleep(0.5)
                stored = events(leat)
        finally:
            serve.end()
        return _judge(killed, load, stored, actions, desk)


def events(leat: Leat) -> Counter[str]:
    """Return how often each webhook is in the table."""
    [children] = leat.json("query", "SELECT string_agg(event_id, ' ') AS ids FROM hooks.events")["rows"]
    return Counter((children["ids"] or "").split())


def _judge(killed: Counter[str], load: Load, stored: Counter[str], actions: list[ActionRow], desk: Desk) -> list[str]:
    asked, hooked, broken = load.asked, load.hooked, []
    lost = load.acknowledged - set(stored)
    doubled = [each for each, times in stored.items() if times > 1]
    if lost or doubled:
        broken.append(f"webhooks: {len(lost)} lost, {len(doubled)} doubled")
    states: Counter[str] = Counter()
    for each in actions:
        effects = desk.values.get(each.target, (0, 0))[1] if each.guarantee == "natural" else desk.deeds[each.id]
        states[each.state] += 1
        if effects != 1 and not (each.guarantee == "unprobeable" and effects == 0):
            broken.append(f"{each.guarantee} action {each.id}, {each.state}: {effects} effects")
    total = asked.right + hooked.right + asked.wrong.total() + hooked.wrong.total()
    share = (asked.right + hooked.right) / total
    if asked.gap > GOAL_GAP:
        broken.append(f"the API didn't answer for {asked.gap:.1f} s")
    if share < GOAL_SHARE:
        broken.append(f"only {share:.3%} of the requests were answered right")
    print(f"killed: {dict(killed)}")
    print(f"webhooks: {hooked.right:,} acknowledged, {len(lost)} lost, {len(doubled)} doubled, gap {hooked.gap:.2f} s")
    print(f"API: {asked.right:,} answers, longest gap {asked.gap:.2f} s (goal {GOAL_GAP:g})")
    print(
        f"requests answered right: {share:.4%} of {total:,} (goal {GOAL_SHARE:.1%}); else {asked.wrong + hooked.wrong}"
    )
    print(f"actions: {len(actions):,}, {dict(states)}")
    return broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--minutes", type=float, help="instead of a number of kills")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between kills, on average")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        broken = measure(Path(folder), 0 if given.minutes else given.kills, (given.minutes or 0) * 60, given.every)
        if broken:
            raise SystemExit("\n".join(broken))


if __name__ == "__main__":
    main()
