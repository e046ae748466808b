"""localstripe, an imitation of Stripe's API by its users, as a process on loopback.

Its own command listens on every interface and has its store in ``/tmp``, shared by whoever starts it; here it listens
on 127.0.0.1 and has its store in ``<folder>/localstripe.pickle``, so that it goes on where it was stopped::

    python -m leat.demo.stripe.localstripe --folder DIR --port N
"""

from __future__ import annotations

import argparse
import pickle
import random
import sys
from pathlib import Path

from leat.demo.servers.process import Process, free_port, start
from leat.files import atomic_write


def start_localstripe(folder: Path, port: int | None = None) -> Process:
    """Start localstripe and wait until it listens; any key that begins with ``sk_`` is good for it.

    Args:
        folder: of its store; existing data is served again.
        port: TCP port on 127.0.0.1; None for a free one.
    """
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = port or free_port()
    argv = [sys.executable, "-m", "leat.demo.stripe.localstripe", "--folder", str(folder), "--port", str(port)]
    return start("localstripe", argv, folder, port)


def _main() -> None:
    from aiohttp import web
    from localstripe import server  # type: ignore[import-untyped]
    from localstripe.resources import Store, store  # type: ignore[import-untyped]

    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    pickle_file = asked.folder / "localstripe.pickle"

    def save(self: Store) -> None:
        """Write the store at once or not at all; localstripe calls this after each change."""
        atomic_write(pickle_file, pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL))

    Store.dump_to_disk = save
    if pickle_file.exists():
        with pickle_file.open("rb") as file:
            dict.update(store, pickle.load(file))  # noqa: S301 - this program's own file
    random.seed(f"localstripe {len(store)}")  # its ids are the same on every machine, and never those of before
    web.run_app(server.app, host="127.0.0.1", port=asked.port, access_log=None, print=None)


if __name__ == "__main__":
    _main()
