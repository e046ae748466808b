"""The control store: what is declared, overridden and run, and what alerts remember."""
