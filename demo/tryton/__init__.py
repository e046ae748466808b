"""Tryton as a process on loopback, and the demo company's books in it."""
