"""A desk behind HTTP."""
