"""A source for tests: it yields what a script says, so that a test decides what the engine is given, and when."""
