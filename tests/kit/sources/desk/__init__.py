"""A desk that does what it is asked to, with each guarantee; its server counts what was done."""
