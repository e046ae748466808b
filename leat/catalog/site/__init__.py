"""The static site of ``leat docs``."""
