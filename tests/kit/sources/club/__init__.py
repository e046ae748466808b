"""A club whose members, visits and sales a test writes: what erasing somebody does to each is declared."""
