"""Whatever a REST API does, its rows are all there, or the run fails and nothing has changed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, note
from hypothesis import strategies as st

from leat.sources.errors import IntegrationError
from tests.kit.examples import examples
from tests.sources.rest_answers import Answers, answering
from tests.sources.rest_random import CHANGES, Api, Change, apis


@pytest.fixture(scope="module")
def server() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


@examples()
@given(
    api=apis(),
    changes=st.lists(CHANGES, min_size=1, max_size=3),
    size=st.none() | st.integers(1, 6),
    count=st.booleans(),
    flag=st.booleans(),
    in_flight=st.sampled_from([1, 3]),
)
def test_rows_are_all_there_or_the_run_fails(
    server: Answers, api: Api, changes: list[Change], size: int | None, count: bool, flag: bool, in_flight: int
) -> None:
    server.answer = api
    declared = api.declared(size, count, flag)
    note(f"declared {declared}")
    with tempfile.TemporaryDirectory() as folder:
        shop = server.reader(Path(folder), {"things": declared}, in_flight=in_flight)
        for change in [Change([], [], [], {}, None, {}), *changes]:
            change.apply(api)
            if "total" not in declared["paging"] and api.style in ("pages", "offset"):
                api.gone = {}  # nothing tells that pages have moved; the next run reads them
            before = {key: dict(row) for key, row in shop.tables.get("things", {}).items()}
            api.begin()
            try:
                shop.run()
            except IntegrationError as error:
                note(f"{type(error).__name__}: {error}")
                event(f"{api.style} failed")
                assert {key: dict(row) for key, row in shop.tables.get("things", {}).items()} == before
                continue
            event(f"{api.style} loaded")
            _compare(api, {key[0]: row["v"] for key, row in shop.tables.get("things", {}).items()}, declared)


def _compare(api: Api, loaded: dict[int, int], declared: dict[str, Any]) -> None:
    """Check that what was there all the time is loaded, and nothing that wasn't there at all."""
    assert {each: loaded.get(each) for each in api.rows} == api.rows
    if declared.get("deletes") != "never":
        assert loaded.keys() <= api.ever


@examples(share=0.5)
@given(api=apis(), changes=st.lists(CHANGES, min_size=1, max_size=2), size=st.integers(2, 6), flag=st.booleans())
def test_an_api_that_does_as_declared_is_read(
    server: Answers, api: Api, changes: list[Change], size: int, flag: bool
) -> None:
    """No listing is refused that could be proven: else every run would fail, and that is safe as well."""
    numbered = api.style in ("pages", "offset")
    api.total = "every" if api.total == "wrong" or (numbered and api.total == "never") else api.total
    api.list_at, api.honours, api.uneven = api.list_at or ("items",), True, [each % 2 for each in api.uneven]
    if api.style == "last_record" or numbered:
        api.uneven = []
    server.answer = api
    with tempfile.TemporaryDirectory() as folder:
        shop = server.reader(Path(folder), {"things": api.declared(size, True, flag)})
        for change in changes:
            Change(change.add, change.drop, change.touch, {}, change.cap, {}).apply(api)
            api.begin()
            shop.run()
            assert {key[0]: row["v"] for key, row in shop.tables.get("things", {}).items()} == api.rows
