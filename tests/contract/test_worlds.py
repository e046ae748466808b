"""Every driver is under this contract."""

from __future__ import annotations

from importlib.util import find_spec

from leat.sources.driver import driver_names, source_names
from tests.contract.world import drivers, world_file


def test_every_driver_has_a_world() -> None:
    assert drivers()
    missing = [f"tests/contract/{s}_{d}.py" for s, d in drivers() if find_spec(f"tests.contract.{s}_{d}") is None]
    assert missing == [], "write open_world there, as tests/contract/world.py describes it"
    for source, driver in drivers():
        assert callable(world_file(source, driver).open_world)


def test_every_source_has_a_driver() -> None:
    assert [source for source in source_names() if not driver_names(source)] == []
