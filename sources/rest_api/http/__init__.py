"""Drivers of REST APIs that speak JSON over HTTP: ``driver`` reads, ``actions`` acts."""
