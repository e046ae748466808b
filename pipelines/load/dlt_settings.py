"""dlt with leat's settings and no others: neither the environment, beyond what the docs name, nor ``~/.dlt`` counts.

dlt looks each setting up in each of its providers under up to ten names, 20,000 times for one landing. One provider
that needs no sections answers at once, which saves an eighth of the processor time of a small load.
"""

from __future__ import annotations

import functools
import importlib
import os
from typing import Any


@functools.cache
def configured_dlt() -> Any:
    """Import dlt, replace its sources of settings by one with leat's, and return it."""
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")  # dlt reads these two while it is imported
    os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")
    # dlt uses pandas as soon as sys.modules has it, even half imported by another thread: wait for the whole.
    importlib.import_module("pandas")
    import dlt
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.providers.provider import ConfigProvider
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    values = {
        "dlthub_telemetry": os.environ["RUNTIME__DLTHUB_TELEMETRY"],
        "log_level": os.environ["RUNTIME__LOG_LEVEL"],
        # Pieces have their size already; dlt would count rows alone.
        "buffer_max_items": os.environ.get("DATA_WRITER__BUFFER_MAX_ITEMS", "1"),
    }

    class Settings(ConfigProvider):
        """What differs from dlt's defaults."""

        name = "leat"
        supports_secrets = True
        supports_sections = False

        def get_value(self, key: str, hint: Any, pipeline_name: str | None, *sections: str) -> tuple[str | None, str]:
            return values.get(key), key

    Container()[PluggableRunContext].providers.providers[:] = [Settings()]
    return dlt
