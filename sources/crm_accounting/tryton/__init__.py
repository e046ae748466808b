"""Tryton 8.2, by its REST API."""
