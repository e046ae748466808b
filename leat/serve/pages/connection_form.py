"""The form of a driver's connection, made of the JSON Schema that ``pipelines/schema.json`` has of it.

Secrets are never typed: their fields take the name of a variable, of a file or of a stored secret. What a form can't
ask for, such as lists of blocks, and what only actions need, is named for whoever continues in the YAML.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from leat.pipelines.declare.json_schema import connection_schema
from leat.sources.settings import NAMED

Kind = Literal["setting", "secret", "text", "number", "flag", "choice", "lines", "variants"]
_WORDS = {"url": "address", "auth": "sign-in", "api": "API", "ssh": "SSH"}
_SIGN_IN = ("url", "username", "password", "region", "access_key", "secret_key")
_FROM = {"value": "the value itself", "env": "name of a variable", "file": "path of a file",
         "secret": "name of a stored secret"}  # fmt: skip
_TYPED = ("secret", "value")
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form.

    Attributes:
        name: path of the setting, with dots.
        kind: what it takes.
        help: what it means.
        required: whether it must be filled in.
        default: the value that it has when left alone, as text.
        choices: the values of a choice; of a setting or secret, where its value comes from.
        variants: of ``variants``: each value, what it means, and its own fields.
    """

    name: str
    kind: Kind
    help: str
    required: bool = False
    default: str = ""
    choices: Sequence[tuple[str, str]] = ()
    variants: Sequence[tuple[str, str, Sequence[Field]]] = ()

    @property
    def label(self) -> str:
        """The name in words."""
        words = [_WORDS.get(word, word) for word in self.name.rpartition(".")[2].split("_")]
        return " ".join(words)[:1].upper() + " ".join(words)[1:]

    @property
    def first(self) -> bool:
        """Whether it is among those that most people fill in."""
        return self.required or self.kind == "variants" or self.name in _SIGN_IN

    @property
    def key(self) -> str:
        """The name without the block that it is in."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class ConnectionForm:
    """The form of a driver.

    Attributes:
        fields: those of the form.
        others: settings that only the YAML can take, with their meaning.
    """

    fields: Sequence[Field]
    others: Mapping[str, str]


def form_of(source: str, driver: str, *, local: bool, hidden: Collection[str] = ()) -> ConnectionForm:
    """Return the form of a driver's connection.

    Args:
        source: the kind of system.
        driver: what reads it.
        local: whether files and folders of this machine may be named.
        hidden: settings that nobody may choose here.
    """
    schema = connection_schema(source, driver)
    fields, others = [], {}
    for name, prop in schema["properties"].items():
        if name in hidden or (prop.get("format") == "path" and not local):
            continue
        field = None if name.startswith("action") else _field(name, prop, schema, name in schema.get("required", ()))
        if field is None:
            others[name] = str(prop.get("description", ""))
        else:
            fields.append(field)
    return ConnectionForm(fields, others)


def connection_from(fields: Sequence[Field], form: Mapping[str, str]) -> dict[str, Any]:
    """Return the ``connection:`` block of a form; what is left empty, or as it was, isn't part of it."""
    values: dict[str, Any] = {}
    for field in fields:
        value = _value(field, form)
        if value is not None:
            values[field.key] = value
    return values


def _value(field: Field, form: Mapping[str, str]) -> Any:
    text = form.get(field.name, "")
    if field.kind == "variants":
        for value, _, inside in field.variants:
            if value == text:
                return None if value == field.default else {"kind": value, **connection_from(inside, form)}
        return None
    if not text or (text == field.default and not field.required):
        return None
    if field.kind in ("setting", "secret"):
        where = form.get(f"{field.name}:from", "env" if field.kind == "secret" else "value")
        return {where: text} if where in NAMED else text
    if field.kind == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if field.kind == "flag":
        return text == "true"
    if field.key == "prefix" and text.isalpha():
        return f"{text} "  # as in `Token …`; forms lose the blank
    return _number(text) if field.kind == "number" else text


def _number(text: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text  # the declaration says what it takes instead


def _field(name: str, prop: Schema, schema: Schema, required: bool) -> Field | None:
    """Return the field of a setting; None where a form can't ask for it."""
    made = partial(Field, name, help=str(prop.get("description", "")), required=required)
    default = prop.get("default")
    shown = "" if default is None or isinstance(default, list | dict) else str(default)
    options = list(_options(prop, schema))
    kinds = [_kind(each, schema) for each in options]
    if "variants" in kinds:
        variants = list(_variants(name, options[kinds.index("variants")], schema))
        first = next((value for value, *_ in variants if value == "none"), variants[0][0])
        return made(kind="variants", default=first, variants=variants)
    if "choice" in kinds:
        values = [(str(value), str(value)) for value in options[kinds.index("choice")]["enum"]]
        return made(kind="choice", default=shown, choices=values if required or shown else [("", "–"), *values])
    if "named" in kinds and "block" not in kinds:
        kind: Kind = "setting" if "text" in kinds else "secret"
        return made(kind=kind, default=shown, choices=[(w, v) for w, v in _FROM.items() if (kind, w) != _TYPED])
    if "flag" in kinds:
        return made(kind="flag", default=shown.lower(), choices=[("true", "yes"), ("false", "no")])
    plain: tuple[Kind, ...] = ("lines", "number", "text")
    return next((made(kind=each, default=shown) for each in plain if each in kinds and "named" not in kinds), None)


def _options(prop: Schema, schema: Schema) -> Iterator[Schema]:
    """Yield what a setting may be, references followed, without nothing at all."""
    if "$ref" in prop:
        yield {"name": prop["$ref"].rpartition("/")[2], **schema["$defs"][prop["$ref"].rpartition("/")[2]]}
    elif "anyOf" in prop:
        for each in prop["anyOf"]:
            yield from _options(each, schema)
    elif prop.get("type") != "null":
        yield prop


def _kind(option: Schema, schema: Schema) -> str:
    if option.get("name") == "Named":
        return "named"
    if "discriminator" in option:
        return "variants"
    if "enum" in option:
        return "choice"
    if option.get("type") == "array":
        inside = [_kind(each, schema) for each in _options(option.get("items", {}), schema)]
        return "lines" if "text" in inside else "block"
    names = {"string": "text", "integer": "number", "number": "number", "boolean": "flag"}
    return names.get(str(option.get("type")), "block")


def _variants(name: str, option: Schema, schema: Schema) -> Iterator[tuple[str, str, Sequence[Field]]]:
    """Yield the variants that a form can ask for: those all of whose settings have a field; the simplest first."""
    mapping = option["discriminator"]["mapping"].items()
    for value, reference in sorted(
        mapping, key=lambda one: len(schema["$defs"][one[1].rpartition("/")[2]]["properties"])
    ):
        inside = schema["$defs"][reference.rpartition("/")[2]]
        fields, complete = [], True
        for key, prop in inside["properties"].items():
            if key == "kind":
                continue
            required = key in inside.get("required", ())
            field = _field(f"{name}.{key}", prop, schema, required)
            complete = complete and field is not None
            if field is not None:
                fields.append(field)
        if complete:
            yield value, str(inside["properties"]["kind"].get("description", value)), fields
