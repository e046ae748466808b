"""Checks of tables, rules across integrations, and the ledger of violations; Great Expectations runs them."""
