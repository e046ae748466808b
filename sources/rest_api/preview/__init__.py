"""A preview of an API before it is declared: first pages, inferred columns and paging, as YAML."""
