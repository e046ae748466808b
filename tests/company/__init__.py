"""The demo company, started once: its two starts, and what it looks like in the two warehouses."""
