"""The log of ``leat serve``: one JSON object a line to standard error, without secrets."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from leat.runs.printable import printable
from leat.sources.settings import redact

_FIELDS = ("request_id", "run_id", "endpoint", "method", "path", "status", "seconds", "client", "integration")


class _AsJson(logging.Formatter):
    """Writes a record as JSON."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        value = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": printable(redact(record.getMessage())),
        }
        value |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[1] is not None:
            from leat.pipelines.load.error_message import traced

            value["error"] = redact(traced(record.exc_info[1]))
        return json.dumps(value, ensure_ascii=False, default=str)


def log_as_json(process: str) -> None:
    """Let this process log to standard error as well; ``process`` is its name: supervisor, web, worker or dagster."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_AsJson(process))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("alembic", "httpx2"):  # the second one logs whole addresses
        logging.getLogger(name).setLevel(logging.WARNING)
