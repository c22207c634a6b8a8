"""Finds the platforms' published documents and makes LINE's say what they mean.

LINE describes each family (messages, flex parts, actions, events) by a base with a discriminator,
which validates nothing below the base. Made strict, a family is exactly one of its members, and a
member has no property but its own.
"""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "specs"
WHERE = (
    "The platforms' documents are not in ../shared/specs: put there the .yml files of "
    "https://github.com/line/line-openapi and, as telegram-bot-api-10.1.json, the api.json of "
    "https://github.com/PaulSonOfLars/telegram-bot-api-spec at Bot API 10.1."
)
Schema = dict[str, Any]


def find(name: str) -> Path:
    """A document's file; skips the test where the folder is absent, fails where only it is."""
    if not FOLDER.is_dir():
        pytest.skip(WHERE)
    path = FOLDER / name
    assert path.is_file(), f"{name} is missing in ../shared/specs"
    return path


@cache
def line(name: str) -> Schema:
    """One of LINE's documents by name (`messaging-api`), made strict."""
    document: Schema = yaml.safe_load(find(f"{name}.yml").read_text("utf-8"))
    return strict(document)


def tags(name: str, family: str) -> list[str]:
    """What tells the members of a family apart, by LINE's own discriminator."""
    document = yaml.safe_load(find(f"{name}.yml").read_text("utf-8"))
    return list(document["components"]["schemas"][family]["discriminator"]["mapping"])


def strict(document: Schema) -> Schema:
    """The same document, strict, without addresses of servers and without keys: a missing key would
    hide every other objection."""
    schemas = document["components"]["schemas"]
    families = {name: one for name, one in schemas.items() if "discriminator" in one}
    flat = {name: _flat(schemas, name) for name in schemas}
    for base, family in families.items():
        key = family["discriminator"]["propertyName"]
        members = {tag: _named(ref) for tag, ref in family["discriminator"]["mapping"].items()}
        for tag, member in members.items():
            flat[member]["properties"] |= {key: {"type": "string", "enum": [tag]}}
            flat[member]["required"] = sorted({*flat[member].get("required", ()), key})
        flat[base] = {"oneOf": [_ref(member) for member in members.values()]}
    document["components"]["schemas"] = flat
    document["servers"] = [{"url": "/"}]
    for path in document["paths"].values():
        for part in [path, *(one for one in path.values() if isinstance(one, dict))]:
            part.pop("servers", None)
            part.pop("security", None)
    document.pop("security", None)
    return document


def _flat(schemas: Schema, name: str) -> Schema:
    """A schema with what it inherits, closed when it is an object with known properties."""
    schema = dict(schemas[name])
    merged: Schema = {"properties": {}, "required": set()}
    _merge(schemas, schema, merged)
    if not merged["properties"] or "enum" in schema:
        return schema
    closed: Schema = {"type": "object", "additionalProperties": False}
    closed["properties"] = merged["properties"]
    if merged["required"]:
        closed["required"] = sorted(merged["required"])
    return closed


def _merge(schemas: Schema, schema: Schema, merged: Schema) -> None:
    for part in schema.get("allOf", ()):
        _merge(schemas, schemas[_named(part["$ref"])] if "$ref" in part else part, merged)
    merged["properties"] |= schema.get("properties", {})
    merged["required"] |= set(schema.get("required", ()))


def _named(ref: str) -> str:
    return ref.rpartition("/")[2]


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
