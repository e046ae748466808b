"""Fills each server with the story of the demo company."""
