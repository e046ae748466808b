"""The audit log: its events are sealed into a chain of hashes, which checkpoints and verification hold on to."""
