"""``leat``: reads the command line, runs the command, turns every failure into a message and an exit code.

Exit codes: 0 ok, 1 failed, 2 usage, 3 a blocking check failed, 75 busy, try later, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import sys
from typing import Any

from leat.cli.commands import app_for
from leat.cli.output import ReaderGone, Stream, err, print_json, styled
from leat.cli.usage import BUSY, FAILED, INTERRUPTED, USAGE, UsageMistake
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.runs.access import Forbidden
from leat.runs.on_ray.jobs import RayError
from leat.sources.errors import IntegrationError
from leat.sources.settings import redact
from leat.warehouse.session import Busy, WarehouseError

_GARBAGE = (200_000, 10, 10)
"""How many new objects let Python look for garbage. A run with nothing new makes 120,000, and none of them is garbage;
with Python's default of 700 it would look 190 times, for 0.05 s."""


class _Interrupted(BaseException):
    """Ctrl+C; of a kind that no library takes for its own: Typer would end without a word, and wait for threads."""


def _interrupt(_signal: int, _frame: object) -> None:
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))  # a second one doesn't wait for anything
    raise _Interrupted


def main() -> None:
    """Run the command line and end the process.

    Taking a thousand modules apart at exit takes longer than a run that finds nothing new, and nothing needs it.
    """
    gc.freeze()
    gc.set_threshold(*_GARBAGE)
    gc.enable()
    signal.signal(signal.SIGINT, _interrupt)
    sys.stdout, sys.stderr = _stream(sys.stdout), _stream(sys.stderr)
    code = _code()
    for end in (sys.stdout.flush, sys.stderr.flush, logging.shutdown):
        with contextlib.suppress(ReaderGone):
            end()
    os._exit(code)


def _stream(stream: Any) -> Stream:
    options = {"encoding": stream.encoding, "errors": stream.errors, "line_buffering": stream.line_buffering}
    return Stream(stream.detach(), write_through=stream.write_through, **options)


def _code() -> int:
    try:
        app_for(sys.argv[1:])()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else FAILED
    except (UsageMistake, DeclarationError) as error:
        return _report(error, USAGE)
    except Busy as error:
        return _report(error, BUSY)
    except (IntegrationError, WarehouseError, Forbidden, RayError) as error:
        return _report(error, FAILED)
    except ReaderGone:  # it has seen enough
        return 0
    except _Interrupted:
        err.print("stopped; nothing is half-applied, and the next run continues from here")
        return INTERRUPTED  # threads may still wait for a server; a landing that is not complete is removed next time
    except Exception as error:
        from leat.pipelines.load.error_message import log_error, shown

        log_error(logging.getLogger("leat"), error, "unexpected")
        return _report(f"{shown(error)}. Next: logs/leat.log in the state folder has the details", FAILED)
    return 0


def _report(error: Exception | str, code: int) -> int:
    text = redact(str(error))
    if "--json" in sys.argv:
        kind = "Error" if isinstance(error, str) else type(error).__name__
        print_json(error={"type": kind, "message": text, "exit_code": code})
    with contextlib.suppress(ReaderGone):
        err.print(styled(text, style="red"))
    return code


if __name__ == "__main__":
    main()
