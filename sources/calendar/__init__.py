"""Calendars: events, who attends them, and when they really happen.

A driver reads one kind of server (``caldav``: any server of RFC 4791) into the streams of :mod:`streams`. What a
calendar leaves open is decided here once: occurrences are expanded in the event's own zone, a time without a zone stays
a wall-clock time, and an event that cannot be understood is quarantined alone.
"""
