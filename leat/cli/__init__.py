"""The ``leat`` command: data on stdout, progress on stderr, exit codes that scripts can rely on."""

import gc

gc.disable()  # a thousand modules are imported and none is garbage; leat.cli.main turns it on again
