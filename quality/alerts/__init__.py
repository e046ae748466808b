"""Alerts people to problems: read from state, sent once to each channel, and once more when they are resolved."""
