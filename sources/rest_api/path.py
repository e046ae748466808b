"""Paths in answers, under the name by which this source's modules call them; see :mod:`sources.json_path`."""

from sources.json_path import EACH, FieldPath, Path, Step, parse_path, value_at, values_at, write_path

__all__ = ["EACH", "FieldPath", "Path", "Step", "parse_path", "value_at", "values_at", "write_path"]
