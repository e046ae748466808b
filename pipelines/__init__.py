"""What is declared (``*.yaml``), and the engine that runs one declaration."""
