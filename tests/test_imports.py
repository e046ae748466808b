"""No module imports another that needs it: neither directly nor by way of others."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp


def test_the_import_graph_has_no_circles() -> None:
    graph = grimp.build_graph("leat", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        msg = f"a circle of imports: {circle}"
        raise AssertionError(msg) from None
