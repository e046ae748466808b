"""leat: external systems declared in YAML, loaded completely or not at all, checked against each other."""
