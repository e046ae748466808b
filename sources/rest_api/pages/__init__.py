"""The pages of a list: how each is requested, and why the list is complete."""
