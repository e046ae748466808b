"""What is lost while keys are rotated under load and processes are killed at random: nothing.

Run: ``python -m bench.keys_rotation [--kills N] [--seed S] [--postgres]``. With ``--postgres``, the
control store and the warehouse are on a temporary Postgres. All the time, loads with masked and encrypted columns run,
which send signed webhooks, readers query, and stored secrets are read, while `leat keys rotate`, `reencrypt` and
`rotate --kek` are started and killed, and some of the runs. It ends with an error if

- a secret is gone or another one, a masked value has another hash, or an encrypted one isn't what it was,
- a load has no webhook, or a webhook isn't signed right,
- something that went on failed, or the audit log isn't intact, or
- an old key still decrypts when all has been encrypted again.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.kit.databases import NewDatabase
from tests.kit.rotating import aftermath, storming
from tests.servers.postgres import start_postgres, stop_postgres


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--postgres", action="store_true")
    asked = parser.parse_args()
    begun = time.monotonic()
    with (
        _databases(postgres=asked.postgres) as variables,
        tempfile.TemporaryDirectory() as folder,
        storming(Path(folder), asked.kills, asked.seed, **variables) as storm,
    ):
        wrong = aftermath(storm)
        print(f"{asked.kills} processes killed in {time.monotonic() - begun:.0f} s, seed {asked.seed}")
        for name, count in sorted(storm.killed.items()):
            print(f"  killed: leat {name:<22} {count:>4}")
        for name, count in sorted(storm.done.items()):
            print(f"  went on: {name:<22} {count:>4} times, the slowest took {storm.slowest[name]:.1f} s")
    print("nothing was lost, and no old key decrypts" if not wrong else "\n".join(wrong))
    sys.exit(bool(wrong))


@contextlib.contextmanager
def _databases(*, postgres: bool) -> Iterator[dict[str, str]]:
    """Give the variables of a project: none, or those of two databases on a server that ends with the block."""
    if not postgres:
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder:
        server = start_postgres(Path(folder))
        try:
            make = NewDatabase(server)
            yield {"LEAT_CONTROL": make(), "LEAT_WAREHOUSE": make()}
        finally:
            stop_postgres(server)


if __name__ == "__main__":
    main()
