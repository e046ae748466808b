"""Hides a package of dev tools alone: where it is there, jsonschema imports it, for a second of each process of Ray."""

raise ImportError(__name__)
