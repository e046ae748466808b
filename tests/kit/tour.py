"""Take the pictures of ``docs/tour.md``.

::

    leat demo
    .venv/bin/uv run --no-project --with playwright==1.65.2 --with pillow==12.0.0 python -m tests.kit.tour LINK [FOLDER]

A development command: LINK is as for ``tests.kit.walk``, for one administrator, and the demo has to be a new one,
because the tour approves an action. FOLDER is ``docs/pictures`` if you leave it out.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.kit.browser import browsing, names_in, origin_of, signed_in

MOST = 60_000
"""Bytes of a picture."""
QUERY = """SELECT day, CAST(net / 100.0 AS DECIMAL(18, 2)) AS euros
FROM analytics.payments_daily
WHERE currency = 'EUR'
ORDER BY net DESC
LIMIT 5"""
_RULE = "charged_twice"


def take(link: str, folder: Path) -> None:
    """Write the pictures.

    Raises:
        ValueError: a picture is too large.
    """
    with browsing() as browser:
        for name, png in pictures(browser, link):
            data = _webp(png)
            if len(data) > MOST:
                msg = f"{name} has {len(data)} bytes, of at most {MOST}"
                raise ValueError(msg)
            (folder / f"{name}.webp").write_bytes(data)
            print(f"{name}: {len(data) / 1000:.0f} KB")


def pictures(browser: Any, link: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the PNG of each picture, in the order of the tour."""
    origin = origin_of(link)
    page = _page(browser, None, 900, 560)
    page.goto(f"{origin}/sign-in")
    yield "sign-in", page.screenshot()
    state = signed_in(browser, link, names_in(link)[0])
    page = _page(browser, state, 1120, 760)
    page.goto(origin)
    yield "overview", page.screenshot()
    page.goto(f"{origin}/violations")
    yield "violations", page.screenshot()
    page.goto(f"{origin}/violations?rule={_RULE}")
    page.click("tbody a")
    yield "violation", page.screenshot(full_page=True)
    page.click(".notice li a")
    yield "action", page.screenshot(full_page=True)
    page.click("button[formaction$='/approve']")
    page.wait_for_selector(".notice.good")
    yield "approved", page.screenshot(clip={"x": 0, "y": 0, "width": 1120, "height": 420})
    page.goto(f"{origin}/reports/payments")
    yield "report", page.screenshot()
    page.click("text=What the balance gained")
    yield "rows", page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": 1120, "height": 980})
    page.goto(f"{origin}/query?{urlencode({'sql': QUERY})}")
    page.click("#query button")
    page.wait_for_selector("#answer table")
    yield "query", page.screenshot()
    page.goto(f"{origin}/integrations/-/add/email/imap")
    yield "add-a-system", page.screenshot()
    page.goto(f"{origin}/preferences")
    yield "preferences", page.screenshot(clip={"x": 0, "y": 0, "width": 1120, "height": 560})
    page = _page(browser, state, 390, 800)
    page.goto(origin)
    yield "phone", page.screenshot()


def _page(browser: Any, state: Any, width: int, height: int) -> Any:
    context = browser.new_context(storage_state=state, viewport={"width": width, "height": height},
                                  color_scheme="light", reduced_motion="reduce")  # fmt: skip
    return context.new_page()


def _webp(png: bytes) -> bytes:
    from PIL import Image  # type: ignore[import-not-found,unused-ignore]

    written = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(written, "WEBP", quality=76, method=6)
    return written.getvalue()


if __name__ == "__main__":
    _link, *_folder = sys.argv[1:]
    take(_link, Path(*(_folder or ["docs", "pictures"])))
