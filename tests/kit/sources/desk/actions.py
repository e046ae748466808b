"""The verbs of a desk: one for each guarantee."""

from pydantic import Field

from leat.sources.actions import Guarantee, Parameters, Verb


class Mark(Parameters):
    place: str = Field(description="Where.", min_length=1)
    value: int = Field(default=1, description="What.")


def _verb(name: str, guarantee: Guarantee, *, money: bool = False) -> Verb:
    undo = "by `natural`" if guarantee == "natural" else "not at all"
    return Verb(name, f"Mark a place; {guarantee}.", Mark, guarantee, "none", undo, money)


VERBS = (
    _verb("guarded", "guarded"),
    _verb("natural", "natural"),
    _verb("probed", "probed"),
    _verb("unprobeable", "unprobeable"),
    _verb("pay", "probed", money=True),
)
