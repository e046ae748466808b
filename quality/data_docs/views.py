"""How Data Docs become HTML: Great Expectations' own views, with templates that load nothing from the network.

Great Expectations imports this module by the name that its site builder is given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from great_expectations.render.view.view import (  # noqa: TID253 - only the site builder imports this module
    DefaultJinjaIndexPageView,
    DefaultJinjaPageView,
)
from jinja2 import ChoiceLoader, FileSystemLoader

_TEMPLATES = Path(__file__).parent / "templates"


class OfflinePageView(DefaultJinjaPageView):
    """The page of a suite or of its results."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        _put_leat_first(self)


class OfflineIndexView(DefaultJinjaIndexPageView):
    """The page that lists them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        _put_leat_first(self)


def _put_leat_first(view: Any) -> None:
    view.env.loader = ChoiceLoader([FileSystemLoader(_TEMPLATES), view.env.loader])
