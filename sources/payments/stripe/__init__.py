"""Stripe, in one pinned version of its API."""
