"""The streams of a desk."""

from leat.sources.stream import Column, Stream

STREAMS = (Stream("deeds", "What was done.", (Column("id", "string", "Its id."),), key=("id",), deletes="never"),)
