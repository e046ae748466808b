"""A REST API has no streams of its own: ``connection.endpoints`` of a declaration names them."""

from leat.sources.stream import Stream

STREAMS: tuple[Stream, ...] = ()
