"""Real servers on loopback that only tests and benchmarks start; those of the demo are in :mod:`leat.demo.servers`."""
