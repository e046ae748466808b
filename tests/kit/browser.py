"""A real Chromium at the pages of a running ``leat serve``, for development commands: needs playwright from PyPI."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run")  # fmt: skip
_NAMED = re.compile(r"(?<=//)([^/@:]+):([^/@]+)@")


def origin_of(link: str) -> str:
    """Return the address of the dashboard without names, password and path."""
    return _NAMED.sub("", link.partition("/sign-in")[0]).rstrip("/")


def names_in(link: str) -> list[str]:
    """Return the people who sign in: ``http://NAME,NAME:PASSWORD@HOST``; one without a name for a one-time link."""
    named = _NAMED.search(link)
    return named[1].split(",") if named else [""]


@contextmanager
def browsing() -> Iterator[Any]:
    """Give a browser of playwright."""
    from playwright.sync_api import sync_playwright  # type: ignore[import-not-pages]

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


def signed_in(browser: Any, link: str, name: str) -> Any:
    """Return the cookies of somebody who has signed in: at Canaille by name, or by a one-time link."""
    page = browser.new_context().new_page()
    origin, named = origin_of(link), _NAMED.search(link)
    if named is None:
        page.goto(link)
        page.click("button")
    else:
        page.goto(f"{origin}/sign-in/begin")
        for field, value in (("login", name), ("password", named[2])):
            page.fill(f"input[name={field}]", value)
            page.press(f"input[name={field}]", "Enter")
    page.wait_for_url(f"{origin}/")
    page.reload()  # now the pages are in the zone of the browser
    state = page.context.storage_state()
    page.context.close()
    return state


def first_of_lists(page: Any, origin: str, lists: dict[str, str]) -> dict[str, str]:
    """Return the address that the first row of each list leads to; lists without rows, or forbidden, are left out."""
    pages = {}
    for name, path in lists.items():
        page.goto(origin + path)
        first = page.query_selector("tbody a")
        if first is not None:
            pages[name] = first.get_attribute("href")
    return pages
