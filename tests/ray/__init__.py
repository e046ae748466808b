"""Runs on a real Ray cluster, in a network of its own: Ray's processes listen on every address that the machine has."""
