"""How modules are arranged: no circles of imports, and a map of each folder that has many."""

from __future__ import annotations

import ast
import os
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

import leat

MANY = 20


def test_the_import_graph_has_no_circles() -> None:
    graph = grimp.build_graph("leat", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        msg = f"a circle of imports: {circle}"
        raise AssertionError(msg) from None


def test_a_folder_of_many_modules_has_a_map_in_its_docstring() -> None:
    missing = []
    for folder, _, files in os.walk(leat.__path__[0], followlinks=True):
        modules = [Path(folder, name) for name in files if name.endswith(".py") and name != "__init__.py"]
        if len(modules) <= MANY or "__init__.py" not in files:
            continue
        said = set(re.findall(r"\w+", _docstring(Path(folder, "__init__.py"))))
        commands = [path for path in modules if _docstring(path).startswith("``leat ")]
        missing += [str(path) for path in modules if path.stem not in said and path not in commands]
    assert missing == []


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
