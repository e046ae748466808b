"""Sending mail by SMTP: how it is declared, letters that are frozen, and one connection that hands them over."""
