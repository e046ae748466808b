"""Puts the bill of materials into the wheel, where PEP 770 has it: ``make sbom`` writes it, ``make build`` too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SBOM = "sboms/leat.cdx.json"


class SbomHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the file, if it was made."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add it to the wheel."""
        if self.target_name == "wheel" and (Path(self.root) / SBOM).is_file():
            build_data["sbom_files"].append(SBOM)
