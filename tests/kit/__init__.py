"""What several tests use: a source whose events a test writes itself, and a project folder to run it in."""
