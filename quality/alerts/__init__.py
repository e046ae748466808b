"""Tells people of problems: what is wrong is read from state, each channel is told once, and once when it is over."""
