"""HTTP for every integration that speaks it: one client, its retries, its rate budget, and a record of each call."""
