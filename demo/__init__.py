"""A demo company: real servers on loopback and their seed data. The tests use the same servers."""
