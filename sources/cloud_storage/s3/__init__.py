"""Servers of the S3 API."""
