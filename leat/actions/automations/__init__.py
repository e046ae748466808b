"""Automations: actions that leat plans by itself, as ``automations/*.yaml`` declares them."""
