"""What the tests of access share: a control store on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from leat.control.store import open_control


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Give an empty control store."""
    url = f"sqlite:///{tmp_path / 'control.db'}"
    engine = open_control(url if request.param == "sqlite" else str(request.getfixturevalue("postgres_url")))
    yield engine
    engine.dispose()
