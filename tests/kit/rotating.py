"""Keys are rotated and everything is encrypted again while runs, reads and webhooks go on, and processes are killed."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from leat.control.keys.ciphertext import decrypt, encrypt, place_of
from leat.control.keys.kek_places import file_provider
from leat.control.keys.problem import KeyProblem
from leat.control.keys.tree import Keys, open_keys
from leat.control.secret_store import SecretStore
from leat.control.store import open_control
from tests.kit.command import Leat, tally_project, then
from tests.kit.project import row, rows
from tests.kit.receiver import Receiver, new_secret, receiving

KEY = new_secret("hook")
COMMANDS = (("keys", "rotate"), ("keys", "reencrypt", "--wait", "5"), ("keys", "rotate", "--kek"), ("run",))
SHELF = "planted shelf"
_SECRETS = 12
_KILLED = -9
_LONGEST = 0.4  # seconds until a process is killed: most commands take less


@dataclass
class Storm:
    """What happened.

    Attributes:
        leat: the project.
        control: URL of its control store.
        receiver: what gets its webhooks.
        killed: how many processes were killed, by what they did.
        done: how often what went on was done, by its name.
        wrong: what went wrong meanwhile.
        slowest: the longest time that something took, in seconds, by its name.
    """

    leat: Leat
    control: str
    receiver: Receiver
    killed: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    slowest: dict[str, float] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, str]:
        """The secrets that have to be there."""
        return {"hook-url": self.receiver.url, "hook-key": KEY} | {f"s{n}": f"planted-{n}" for n in range(_SECRETS)}

    def keys(self) -> Keys:
        """Return the keys as a new process would open them."""
        return open_keys(
            open_control(self.control, pooled=False), file_provider(self.leat.folder / ".leat" / "kek.key")
        )

    def check_secrets(self) -> None:
        """See that each secret can be read and is the right one."""
        store = SecretStore(self.keys())
        for name, value in self.values.items():
            if store.read(name) != value:
                self.wrong.append(f"{name} isn't what it was")

    def run(self) -> None:
        """Load one more row, which has the same masked value and the same encrypted one as all the others."""
        number = next(_NUMBERS)
        then(self.leat, rows("fed", row(number, label="the same", shelf=SHELF)))
        done = self.leat("run")
        if done.returncode not in (0, 75):  # another run holds the integration
            self.wrong.append(f"run: {done.returncode} {done.stdout} {done.stderr}")

    def query(self) -> None:
        """Read the warehouse as an analyst does."""
        done = self.leat(
            "query", "--format", "csv", "SELECT COUNT(DISTINCT label), COUNT(DISTINCT shelf), MIN(shelf) FROM tally.fed"
        )
        if (done.returncode, done.stdout.splitlines()[1:]) != (0, [f"1,1,{SHELF}"]):
            self.wrong.append(f"query: {done.returncode} {done.stdout} {done.stderr}")


_NUMBERS = itertools.count(1)


@contextmanager
def storming(folder: Path, kills: int, seed: int, **variables: str) -> Iterator[Storm]:
    """Give a project whose keys were rotated while all else went on, and so many processes were killed at random.

    Args:
        folder: an empty folder.
        kills: how many processes are killed.
        seed: of what is killed, and when.
        variables: of the project.
    """
    with receiving(KEY) as receiver:
        leat = tally_project(folder, "{fed: {mask: [label], encrypt: [shelf], joined: [shelf]}}", **variables)
        (folder / "quality").mkdir()
        (folder / "quality" / "webhooks.yaml").write_text(
            "endpoints:\n  erp: {url: {secret: hook-url}, secrets: {secret: hook-key}, events: load.applied,"
            " allow_private: true}\n"
        )
        storm = Storm(leat, variables.get("LEAT_CONTROL", f"sqlite:///{folder}/.leat/control.db"), receiver)
        leat("keys")  # makes the state folder
        for name, value in storm.values.items():
            SecretStore(storm.keys()).write(name, value)
        leat("webhooks")
        storm.run()
        with _going_on(storm, storm.run), _going_on(storm, storm.query), _going_on(storm, storm.check_secrets):
            _kill(storm, kills, random.Random(seed))  # noqa: S311 - not a secret
        yield storm


@contextmanager
def _going_on(storm: Storm, do: Callable[[], None]) -> Iterator[None]:
    """Do something again and again in a thread until the block ends."""
    enough = threading.Event()

    def loop() -> None:
        name = do.__name__
        while not enough.is_set():
            begun = time.monotonic()
            try:
                do()
            except Exception as error:  # whatever goes wrong is reported
                storm.wrong.append(f"{name}: {type(error).__name__}: {error}")
            storm.done[name] = storm.done.get(name, 0) + 1
            storm.slowest[name] = max(storm.slowest.get(name, 0), time.monotonic() - begun)
            enough.wait(0.02)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def _kill(storm: Storm, kills: int, chance: random.Random) -> None:
    while sum(storm.killed.values()) < kills:
        command = chance.choice(COMMANDS)
        process = storm.leat.begin(*command)
        process.join(chance.uniform(0.02, _LONGEST))
        process.kill()
        process.join()
        if process.exitcode == _KILLED:
            name = " ".join(command[:2]) + (" --kek" if "--kek" in command else "")
            storm.killed[name] = storm.killed.get(name, 0) + 1
        elif process.exitcode not in (0, 75):
            storm.wrong.append(f"{command}: exit code {process.exitcode}")


def aftermath(storm: Storm) -> list[str]:
    """Rotate once more to the end; return all that is wrong then: with values, webhooks, keys and the audit log."""
    keys, wrong = storm.keys(), list[str]()
    left_behind = encrypt(keys.data_key("secrets"), b"left behind", place_of("t", "c", "1"))
    for command in (("run",), ("keys", "rotate"), ("keys", "reencrypt"), ("keys", "rotate", "--kek")):
        done = storm.leat(*command)
        if done.returncode:
            wrong.append(f"{command}: {done.stdout} {done.stderr}")
    storm.check_secrets()
    storm.query()
    status = storm.leat.json("keys")
    wrong += [f"{each} isn't retired" for each in status["keys"] if each["state"] == "old"]
    wrong += [f"{each} has values" for each in status["keys"] if each["state"] == "retired" and each["values"]]
    for kid in [each["key"] for each in status["keys"] if each["state"] == "retired"]:
        if not _refused(lambda kid=kid: storm.keys().by_kid(kid)):  # type: ignore[misc]
            wrong.append(f"{kid} still decrypts")
    if not _refused(lambda: decrypt(storm.keys().by_kid, left_behind, place_of("t", "c", "1"))):
        wrong.append("what an old key has encrypted can still be decrypted")
    loads = storm.leat.json("query", "SELECT load_id FROM leat.loads")["rows"]
    sent = [body["data"]["load"] for _, body in storm.receiver.got]
    wrong += [f"no webhook of load {each}" for each in {load["load_id"] for load in loads} - set(sent)]
    if (verified := storm.leat("audit", "verify")).returncode:
        wrong.append(verified.stdout)
    return [*storm.wrong, *wrong]


def _refused(use: Callable[[], object]) -> bool:
    try:
        use()
    except KeyProblem:
        return True
    return False
