"""A source for tests: a column of every type, twice, by the script of ``tally``."""
