"""Any git repository, read by the git command."""
