"""One of several processes that use one credential: ``python -m tests.sources.http_crowd FOLDER URL RATE BURST …``."""

from __future__ import annotations

import sys
from pathlib import Path

from leat.sources.http.client import HttpRequest, Limits
from tests.sources.http_client import client_of

if __name__ == "__main__":
    folder, url, rate, burst, count, name = sys.argv[1:]
    limits = Limits(timeout=20, total=60, in_flight=4, rate=float(rate), burst=int(burst))
    with client_of(Path(folder), url, limits=limits, name=name) as (client, _):
        for answer in client.each(HttpRequest("v1/things") for _ in range(int(count))):
            sys.stdout.write(f"{answer.status}\n")
