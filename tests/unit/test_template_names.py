"""The names in a template are the same whether they are read with Jinja or, for plain paths, without it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leat.sources.templates import TemplateProblem, _names, names_in

_WORDS = [
    "row",
    "row.id",
    "before.subject",
    "a.b.c",
    "or",
    "none",
    "self.x",
    "loop.index",
    "in",
    "true",
    "range",
    "",
    "x'",
]
_MARKS = ["{{ ", " }}", "{{", "}}", "{", "}", "{{-", "{% if row %}", "{% endif %}", "{# ", "#}", " or ", " ", "text"]


def _answer(text: str) -> dict[str, set[str]] | str:
    try:
        return dict(names_in(text))
    except TemplateProblem as problem:
        return str(problem)


def _with_jinja(text: str) -> dict[str, set[str]] | str:
    try:
        return _names(text)
    except TemplateProblem as problem:
        return str(problem)


@given(st.lists(st.sampled_from([*_WORDS, *_MARKS]), max_size=9).map("".join))
def test_names_are_those_that_jinja_finds(text: str) -> None:
    assert _answer(text) == _with_jinja(text)


@given(st.lists(st.sampled_from(_WORDS), min_size=1, max_size=3), st.sampled_from(["", "{", "}", "text {{ row.at }} "]))
def test_names_in_a_chain_of_paths_are_those_that_jinja_finds(paths: list[str], around: str) -> None:
    text = around + "{{ " + " or ".join(paths) + " }}" + around
    assert _answer(text) == _with_jinja(text)


def test_paths_are_read_without_jinja() -> None:
    code = """
import sys
from leat.sources.templates import names_in
assert dict(names_in(["plain", "no {{ after.x or row.y }}"])) == {"row": {"y"}, "after": {"x"}}
assert list(names_in("{{ row.id }}")) == [("row", {"id"})]
assert "jinja2" not in sys.modules
assert list(names_in("{{ row.id | upper }}")) == [("row", {"id"})]
assert "jinja2" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("text", ["{{ not }}", "{{ row or not }}", "{{{ row }}}", "{{ row }} {% if %}"])
def test_mistakes_are_found_as_before(text: str) -> None:
    with pytest.raises(TemplateProblem):
        list(names_in(text))
