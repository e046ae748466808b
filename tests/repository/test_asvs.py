"""The table of OWASP ASVS 5.0.0: every requirement of levels 1 and 2 is there, and each claim has a test or a page."""

from __future__ import annotations

import ast
import csv
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.kit.command import ROOT
from tests.repository.test_docs import anchors

TABLE = ROOT / "docs" / "security" / "asvs.csv"
LEVELS = {
    "1.1": "22", "1.2": "1111122223", "1.3": "112222222223", "1.4": "222", "1.5": "123", "2.1": "122",
    "2.2": "112", "2.3": "12223", "2.4": "23", "3.1": "3", "3.2": "113", "3.3": "12223", "3.4": "11222233",
    "3.5": "11122333", "3.6": "3", "3.7": "22333", "4.1": "12233", "4.2": "23333", "4.3": "22", "4.4": "1222",
    "5.1": "2", "5.2": "112333", "5.3": "113", "5.4": "222", "6.1": "122", "6.2": "111111112222",
    "6.3": "11223333", "6.4": "112233", "6.5": "22222333", "6.6": "2223", "6.7": "33", "6.8": "2222", "7.1": "222",
    "7.2": "1111", "7.3": "22", "7.4": "11222", "7.5": "223", "7.6": "22", "8.1": "1233", "8.2": "1123",
    "8.3": "133", "8.4": "23", "9.1": "111", "9.2": "1222", "10.1": "22", "10.2": "223", "10.3": "22223",
    "10.4": "1111122222233333", "10.5": "22222", "10.6": "22", "10.7": "222", "11.1": "2233", "11.2": "22233",
    "11.3": "11233", "11.4": "1222", "11.5": "23", "11.6": "23", "11.7": "33", "12.1": "12233", "12.2": "11",
    "12.3": "22223", "13.1": "2333", "13.2": "222223", "13.3": "2233", "13.4": "1222233", "14.1": "22",
    "14.2": "12223333", "14.3": "122", "15.1": "12233", "15.2": "12233", "15.3": "1222222", "15.4": "3333",
    "16.1": "2", "16.2": "22222", "16.3": "2222", "16.4": "222", "16.5": "2223",
}  # fmt: skip
"""The level of each requirement of a section, in their order; chapter 17, WebRTC, is left out."""
STATUSES = ("met", "not applicable", "not met")


@cache
def table() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_exactly_the_requirements_of_levels_1_and_2_are_there() -> None:
    wanted = [
        (f"{section}.{number}", level)
        for section, levels in LEVELS.items()
        for number, level in enumerate(levels, 1)
        if level in "12"
    ]
    assert [(each["id"], each["level"]) for each in table()] == wanted
    assert len(wanted) == 246


def test_level_1_is_met_and_level_2_nearly() -> None:
    counts = Counter((each["level"], each["status"]) for each in table())
    assert {status for _, status in counts} <= set(STATUSES)
    assert counts["1", "not met"] == 0
    of_two = [counts["2", status] for status in STATUSES]
    assert 1 - of_two[-1] / sum(of_two) >= 0.95
    page = (ROOT / "docs" / "security" / "asvs.md").read_text(encoding="utf-8")
    for level in "12":
        row = f"| {level} | " + " | ".join(str(counts[level, status]) for status in STATUSES) + " |"
        assert row in page, row


def test_every_claim_has_a_reason_and_a_test_or_a_page() -> None:
    for each in table():
        assert each["about"], each
        assert each["where or why"], each
        assert None not in each, f"{each['id']} has a comma too many"
        if each["status"] == "met":
            assert each["tests"] or pages_in(each["where or why"]), each


@cache
def named_tests(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_every_test_that_is_named_exists() -> None:
    missing = []
    for each in table():
        for test in each["tests"].split():
            file, _, name = test.partition("::")
            if not (ROOT / file).is_file() or name not in named_tests(ROOT / file) or not name.startswith("test_"):
                missing.append((each["id"], test))
    assert missing == []


def pages_in(text: str) -> list[str]:
    return re.findall(r"docs/[\w/.-]+\.md(?:#[\w-]+)?", text)


def test_every_page_that_is_named_exists() -> None:
    for each in table():
        for page in pages_in(each["where or why"]):
            file, _, anchor = page.partition("#")
            assert (ROOT / file).is_file(), (each["id"], page)
            assert not anchor or anchor in anchors(ROOT / file), (each["id"], page)


def test_locked_versions_come_from_one_index_with_hashes() -> None:
    """What is installed is what was locked: each file of each version has a hash, and the index is the public one."""
    import tomllib

    locked = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    own = [each for each in locked if "registry" not in each["source"]]
    assert [each["name"] for each in own] == ["leat"]
    for each in locked:
        if each not in own:
            files = [*each.get("wheels", []), *([each["sdist"]] if "sdist" in each else [])]
            assert files, each["name"]
            assert all(file["hash"].startswith("sha256:") for file in files), each["name"]
    assert len({each["source"]["registry"] for each in locked if each not in own}) == 1


@pytest.mark.parametrize("text", ["cvss", "critical", "days"])
def test_time_frames_of_updates_are_numbers(text: str) -> None:
    page = (ROOT / "docs" / "security" / "asvs.md").read_text(encoding="utf-8").lower()
    assert text in page
