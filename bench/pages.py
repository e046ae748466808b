"""The time that each page of the dashboard takes on the server: one connection, 50 requests of each page.

Run: ``python -m bench.pages [--project FOLDER] [--requests N]``. FOLDER is a project that was loaded, such as this one
after ``leat demo --no-dashboard``; without it, the project of ``bench.api_reads`` is made. The token is revoked at the
end. The limit is ``/sign-in``: a template, and nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path

from bench.api_reads import LEAT, make_project, serving
from bench.webhooks import processor_seconds
from tests.kit.walk import ONE_OF, PAGES

LIMIT = "sign-in"
_FIRST = re.compile(r'<tbody>.*?<a [^>]*href="([^"]+)"', re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path)
    parser.add_argument("--requests", type=int, default=50)
    asked = parser.parse_args()
    with contextlib.ExitStack() as stack:
        project = asked.project or make_project(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        port, web, tokens = stack.enter_context(serving([LEAT, "--project", str(project)]))
        asking = _Asking(port, tokens[0])
        print("| page | p50 ms | p99 ms | processor ms each | in pages of sign-in | KB |\n|---|---|---|---|---|---|")
        limit, size = 0.0, 0
        for name, path in {LIMIT: PAGES[LIMIT], **asking.pages()}.items():
            asking.page(path)
            before, times = processor_seconds(web), []
            for _ in range(asked.requests):
                began = time.perf_counter()
                size = len(asking.page(path)[1])
                times.append((time.perf_counter() - began) * 1000)
            each = (processor_seconds(web) - before) * 1000 / len(times)
            limit = limit or each
            times.sort()
            p50, p99 = (times[int(len(times) * share)] for share in (0.5, 0.99))
            print(
                f"| {name} | {p50:.0f} | {p99:.0f} | {each:.0f} | {each / limit:.1f} | {size / 1000:.0f} |", flush=True
            )


class _Asking:
    """One connection of somebody who may see everything."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "text/html"}

    def page(self, path: str) -> tuple[int, bytes]:
        """Return the status and the text of a page."""
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def pages(self) -> dict[str, str]:
        """Return the pages that are there, and the first one of each list."""
        firsts = {name: _FIRST.search(self.page(path)[1].decode()) for name, path in ONE_OF.items()}
        pages = PAGES | {name: first[1] for name, first in firsts.items() if first}
        return {name: path for name, path in pages.items() if self.page(path)[0] == 200}


if __name__ == "__main__":
    main()
