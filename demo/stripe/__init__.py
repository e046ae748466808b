"""The demo company's Stripe: localstripe, and a FAKE of what it lacks in front of it."""
