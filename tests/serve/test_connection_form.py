"""The forms of connections: every setting of every driver has its place, and what they make is a valid declaration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leat.pipelines.declare.project import parse_declaration
from leat.runs.connecting.reach import reach_of
from leat.runs.connecting.save import text_of
from leat.serve.pages.connection_form import Field, form_of
from leat.serve.pages.draft_form import document_of, with_streams
from leat.sources.driver import driver_names, load_driver, source_names
from leat.sources.rest_api.preview.addresses import endpoints_of
from tests.kit.command import ROOT

SHIPPED = [name for name in source_names() if (ROOT / "sources" / name).is_dir()]  # not those of the tests' kit
DRIVERS = [(source, driver) for source in SHIPPED for driver in driver_names(source)]
REQUIRED = {"url": "https://host.example/orders", "host": "mail.example", "repositories": "https://host.example/a.git"}


def every_field(fields: tuple[Field, ...] | list[Field]) -> Iterator[Field]:
    for field in fields:
        yield field
        for _, _, inside in field.variants:
            yield from every_field(list(inside))


@pytest.mark.parametrize(("source", "vendor"), DRIVERS)
def test_every_setting_has_a_field_or_is_named_for_the_yaml(source: str, vendor: str) -> None:
    form = form_of(source, vendor, local=True)
    settings = load_driver(source, vendor).Connection.model_fields
    assert {field.name for field in form.fields} | form.others.keys() == settings.keys()
    required = {name for name, setting in settings.items() if setting.is_required()} - {"endpoints"}
    assert {field.name for field in form.fields if field.required} == required
    for field in every_field(list(form.fields)):
        assert field.help, field.name
        assert field.kind != "secret" or [value for value, _ in field.choices] == ["env", "file", "secret"], field.name


@pytest.mark.parametrize(("source", "vendor"), DRIVERS)
@pytest.mark.parametrize("anything", [True, False])
def test_what_is_filled_in_is_a_valid_declaration(source: str, vendor: str, anything: bool) -> None:
    fields = form_of(source, vendor, local=anything)
    kinds = {"setting": "words", "secret": "SHOP_SECRET", "number": "5", "flag": "true", "lines": "a\nb", "text": "UTC"}
    filled = {}
    for field in fields.fields:
        if field.kind == "choice":
            filled[field.name] = next(value for value, _ in field.choices if value)
        elif field.kind == "variants":
            filled[field.name], _, inside = field.variants[1]
            filled |= {each.name: kinds[each.kind] for each in inside if each.required}
        else:
            filled[field.name] = field.default or kinds[field.kind]
    filled |= {name: value for name, value in REQUIRED.items() if name in filled}
    document, mistakes = document_of(source, vendor, fields, filled, reach_of(anything=anything, networks=()))
    assert not mistakes, mistakes.apart_from([])
    declaration = parse_declaration(text_of(document), Path("pipelines/shop.yaml"), "shop", draft=True)
    names = [stream.name for stream in declaration.every_stream()]
    chosen = with_streams(document, names, {f"load:{name}": "yes" for name in names[1:]}, "Europe/Paris")
    left_out = parse_declaration(text_of(chosen), Path("pipelines/shop.yaml"), "shop", draft=True)
    assert [stream.name for stream in left_out.selected()] == names[1:]


@pytest.mark.parametrize(
    ("url", "lists", "base", "endpoints"),
    [
        ("https://h/api/v1/orders.json?size=5&tag=a&tag=b", [], "https://h/api/v1/",
         {"orders": {"path": "orders.json", "params": {"size": "5", "tag": ["a", "b"]}}}),
        ("https://h/v1/orders/", [], "https://h/v1/", {"orders": {"path": "orders/"}}),
        ("https://h/api", ["v1/orders", "https://h/api/users", "https://h/else"], "https://h/api",
         {"orders": {"path": "v1/orders"}, "users": {"path": "users"}, "else": {"path": "/else"}}),
        ("https://h/", ["a/orders", "b/orders", "42"], "https://h/",
         {"orders": {"path": "a/orders"}, "orders_2": {"path": "b/orders"}, "records": {"path": "42"}}),
    ],
)  # fmt: skip
def test_addresses_of_lists_become_endpoints(
    url: str, lists: list[str], base: str, endpoints: dict[str, object]
) -> None:
    assert endpoints_of(url, lists) == (base, endpoints)


@pytest.mark.parametrize(
    ("url", "lists"),
    [("https://h", []), ("h/orders", []), ("https://u:p@h/orders", []), ("https://h/", ["https://g/orders"]),
     ("https://h/", ["ftp://h/x"]), ("https://h/", ["//g/orders"])],
)  # fmt: skip
def test_an_address_that_isnt_one_is_refused(url: str, lists: list[str]) -> None:
    with pytest.raises(ValueError, match="/"):
        endpoints_of(url, lists)
