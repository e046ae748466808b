"""The ``leat`` command: data on stdout, progress on stderr, exit codes that scripts can rely on."""
