"""Runs the server: ``python -m tests.servers.api_server FOLDER PORT``."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.servers.api_server.handler import open_server
from tests.servers.api_server.state import load_state

if __name__ == "__main__":
    open_server(load_state(Path(sys.argv[1])), int(sys.argv[2])).serve_forever()
