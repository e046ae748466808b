"""Runs on a Ray cluster: a job for each integration, which is a complete ``leat run`` on one of its machines.

jobs is the cluster's HTTP API; follow submits them, watches them, and repeats once what was killed; answers reads what
they print, and run makes one result of it. Ray schedules processes and nothing more: the lease in the warehouse decides
whose load counts.
"""
