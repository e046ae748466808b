"""The ``leat`` command: data on stdout, progress on stderr, exit codes that scripts can rely on.

Each command has a module of its name; ``leat reset`` is in run, ``leat ack`` in violations, and what people decide on
actions in decisions. What they share: main (runs the command, turns failures into exit codes), commands (those that
there are), usage (the exit codes), names and part (which integrations and streams), times, progress, outcome (what a
run did), on_ray (runs on a cluster), action_text (what becomes of actions), subject_text (where a person is), output
and tables (what is printed), rows (of a query), evidence (of a violation), lines (text from outside on a terminal).
"""

import gc
import os

gc.disable()  # a thousand modules are imported and none is garbage; leat.cli.main turns it on again
if "PYDANTIC_DISABLE_PLUGINS" not in os.environ:  # to find plugins it reads the entry points of all packages, 20 ms
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    os.unsetenv("PYDANTIC_DISABLE_PLUGINS")  # programs that are started, such as Dagster, don't get it
