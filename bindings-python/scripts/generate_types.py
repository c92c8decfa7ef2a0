"""Writes ``cartwire/types.py`` from the JSON Schema of the Rust model.

    python bindings-python/scripts/generate_types.py [--check] [schema.json]

Without a file the schema comes from ``cargo run -p cartwire --example schema``; ``-`` reads standard input.

Why not datamodel-code-generator: its TypedDicts import ``typing_extensions`` (and PEP 728's ``closed``) at run time, which
would be our only dependency; it numbers the variants of a union (``Body7``); and it cannot know that a key with a default is
always there in an answer. The shapes schemars writes for us are few, so the generator is short, and any other shape stops it.
"""

from __future__ import annotations

import json
import keyword
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[1] / "python" / "cartwire" / "types.py"
# What callers write; all the rest is only ever written by us.
OPTIONS = (
    "PipelineOptions",
    "SyncOptions",
    "CallOptions",
    "ReceiveOptions",
    "PullOptions",
    "ReconcileOptions",
    "ReplayOptions",
    "FlushOptions",
    "LetterFilter",
    "Signal",
)
SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
NOISE = {"description", "default", "examples", "title", "format", "minimum", "maximum", "pattern", "minLength", "maxLength",
         "minItems", "maxItems", "uniqueItems", "additionalProperties", "deprecated"}
HEADER = '''"""The types of everything that goes in and out, as dicts. Generated; `make types` writes it anew.

Keys are ``snake_case``. Amounts are decimal strings, times RFC 3339 in UTC. A key that is missing means "not known" in data
and "the default" in options. At run time these are plain dicts: nothing is converted or checked in Python.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, TypedDict

'''


class Unknown(Exception):
    """A shape this generator was not made for."""


def pascal(text: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in text.replace("-", "_").replace(".", "_").split("_"))


def doc(text: str | None, indent: str) -> list[str]:
    if not text:
        return []
    # Links into the Rust documentation lead nowhere from here.
    text = re.sub(r"\[`(?:\w+::)*(\w+)`\]", r"`\1`", text)
    lines = text.replace("\\", "\\\\").replace('"""', "'''").split("\n")
    if lines[-1].endswith('"'):
        lines[-1] += " "
    body = [lines[0], *(f"{indent}{line}" if line else "" for line in lines[1:])]
    return [f'{indent}"""' + "\n".join(body) + ('"""' if len(lines) == 1 else f'\n{indent}"""')]


def refs(schema: Any) -> set[str]:
    if isinstance(schema, dict):
        own = {schema["$ref"].rsplit("/", 1)[1]} if "$ref" in schema else set()
        return own.union(*(refs(value) for value in schema.values()))
    if isinstance(schema, list):
        return set().union(*(refs(value) for value in schema))
    return set()


class Generator:
    """Turns definitions into classes (whose annotations are read late) and aliases (in order of need)."""

    def __init__(self, definitions: dict[str, Any]) -> None:
        self.definitions = definitions
        self.classes: dict[str, tuple[str | None, list[str]]] = {}
        self.aliases: dict[str, tuple[str, str | None]] = {}
        self.written_by_callers: set[str] = set()
        waiting = [name for name in OPTIONS if name in definitions]
        while waiting:
            name = waiting.pop()
            if name not in self.written_by_callers:
                self.written_by_callers.add(name)
                waiting += sorted(refs(definitions[name]))

    def render(self) -> str:
        for name in sorted(self.definitions):
            self.define(name, self.definitions[name])
        names = sorted(name for name in [*self.classes, *self.aliases] if not name.startswith("_"))
        out = [HEADER, "__all__ = [\n" + "".join(f'    "{name}",\n' for name in names) + "]\n"]
        for name in self.ordered({name: {base} if base else set() for name, (base, _) in self.classes.items()}):
            out.append("\n\n" + "\n".join(self.classes[name][1]) + "\n")
        needs = {name: {word for word in self.aliases if word in words(text)} for name, (text, _) in self.aliases.items()}
        out.append("\n")
        for name in self.ordered(needs):
            text, description = self.aliases[name]
            out.append("\n".join(["", f"{name}: TypeAlias = {text}", *doc(description, "")]) + "\n")
        return "".join(out)

    @staticmethod
    def ordered(needs: dict[str, set[str]]) -> list[str]:
        done: list[str] = []

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in path:
                raise Unknown(f"a circle: {path}")
            if name not in done:
                for need in sorted(needs[name]):
                    visit(need, (*path, name))
                done.append(name)

        for name in sorted(needs):
            visit(name, ())
        return done

    def define(self, name: str, schema: dict[str, Any]) -> None:
        if "properties" in schema and "oneOf" not in schema:
            self.write_class(name, schema, name in self.written_by_callers)
        elif schema.get("type") == "object" and "additionalProperties" in schema and schema["additionalProperties"] is False:
            self.write_class(name, {**schema, "properties": {}}, name in self.written_by_callers)
        else:
            self.aliases[name] = (self.expression(schema, name, name in self.written_by_callers, top=True), describe(schema))

    def write_class(self, name: str, schema: dict[str, Any], by_callers: bool, base: str | None = None) -> None:
        if name in self.classes:
            raise Unknown(f"two classes called {name}")
        required: list[str] = []
        optional: list[str] = []
        odd = {key for key in schema["properties"] if not key.isidentifier() or keyword.iskeyword(key)}
        if odd:
            plain = {key: value for key, value in schema["properties"].items() if key not in odd}
            if base or odd & set(schema.get("required", ())) or not by_callers:
                raise Unknown(f"{name}: keys that Python cannot write in a class, in an answer or required")
            words = f"_{name}Words" if plain else name
            self.write_call(words, schema, odd)
            if not plain:
                return
            schema, base = {**schema, "properties": plain}, words
        for key, value in schema["properties"].items():
            always = key in schema.get("required", ()) or (not by_callers and isinstance(value, dict) and "default" in value)
            text = self.expression(value, name + pascal(key), by_callers)
            entry = [f"    {key}: {text}", *doc(describe(value), "    ")]
            (required if always else optional).extend(entry)
        description = doc(schema.get("description"), "    ")
        if required and optional:
            # Two classes instead of NotRequired, which Python 3.10 lacks.
            self.classes["_" + name] = (base, [f"class _{name}({base or 'TypedDict'}):", f'    """What is always there in `{name}`."""', "", *required])
            self.classes[name] = ("_" + name, [f"class {name}(_{name}, total=False):", *description, *spaced(description, optional)])
        else:
            total = "" if required or not optional else ", total=False"
            if not description:
                raise Unknown(f"{name} has no description")
            body = [*description, *spaced(description, required or optional)]
            self.classes[name] = (base, [f"class {name}({base or 'TypedDict'}{total}):", *body])

    def write_call(self, name: str, schema: dict[str, Any], keys: set[str]) -> None:
        """A TypedDict of optional keys that a class cannot hold, such as ``line.total_mismatch`` or ``as``."""
        entries: list[str] = []
        for key, value in schema["properties"].items():
            if key in keys:
                entries += [f"        # {line}" for line in (describe(value) or "").split("\n") if line]
                entries.append(f"        {key!r}: {self.expression(value, name + pascal(key), True)!r},")
        text = [f"{name} = TypedDict(", f"    {name!r},", "    {", *entries, "    },", "    total=False,", ")"]
        self.classes[name] = (None, [*text, *doc(schema.get("description"), "")])

    def expression(self, schema: Any, owner: str, by_callers: bool, top: bool = False) -> str:
        if schema is True or (isinstance(schema, dict) and not set(schema) - NOISE - {"additionalProperties"}):
            return "Any"
        if "properties" in schema and "$ref" not in schema and "oneOf" not in schema:
            self.write_class(owner, schema, by_callers)
            return owner
        if "$ref" in schema and set(schema) <= NOISE | {"$ref"}:
            return str(schema["$ref"].rsplit("/", 1)[1])
        if "const" in schema:
            return f"Literal[{literal(schema['const'])}]"
        if "enum" in schema:
            return "Literal[" + ", ".join(literal(value) for value in schema["enum"]) + "]"
        for key in ("oneOf", "anyOf"):
            if key in schema:
                return self.union(schema[key], owner, by_callers)
        kind = schema.get("type")
        if isinstance(kind, list):
            return " | ".join(self.expression({**schema, "type": one}, owner, by_callers) for one in kind)
        if kind == "array":
            return f"list[{self.expression(schema.get('items', True), owner + 'Item', by_callers)}]"
        if kind == "object":
            return f"dict[str, {self.expression(schema.get('additionalProperties', True), owner + 'Value', by_callers)}]"
        if kind in SCALARS:
            return SCALARS[kind]
        raise Unknown(f"{owner}: {json.dumps(schema)[:300]}")

    def union(self, variants: list[dict[str, Any]], owner: str, by_callers: bool) -> str:
        if all("const" in variant or "enum" in variant for variant in variants):
            values = [value for variant in variants for value in variant.get("enum", [variant.get("const")])]
            return "Literal[" + ", ".join(literal(value) for value in values) + "]"
        parts: list[str] = []
        for variant in variants:
            tag = next((value["const"] for value in variant.get("properties", {}).values() if isinstance(value, dict) and "const" in value), None)
            if tag is None:
                part = self.expression(variant, owner, by_callers)
            else:
                part = pascal(str(tag)) + owner
                base = variant["$ref"].rsplit("/", 1)[1] if "$ref" in variant else None
                self.write_class(part, variant, by_callers, base)
            if part not in parts:
                parts.append(part)
        return " | ".join(parts)


def describe(schema: Any) -> str | None:
    if not isinstance(schema, dict):
        return None
    lines = [schema["description"]] if "description" in schema else []
    if "examples" in schema and schema.get("type") == "string":
        lines.append("Known words, others are kept: " + ", ".join(f"``{word}``" for word in schema["examples"]) + ".")
    for key in ("oneOf", "anyOf"):
        named = [one for one in schema.get(key, ()) if "const" in one and "description" in one]
        lines += [f"``{one['const']}``: {one['description']}" for one in named]
    return "\n".join(line for line in lines if line) or None


def spaced(description: list[str], body: list[str]) -> list[str]:
    return ["", *body] if description and body else body


def literal(value: object) -> str:
    return "None" if value is None else json.dumps(value)


def words(text: str) -> set[str]:
    return set("".join(c if c.isalnum() or c == "_" else " " for c in text).split())


def generate(schema: bytes) -> str:
    """The text of ``types.py`` for that schema."""
    return Generator(json.loads(schema)["$defs"]).render()


def main(arguments: list[str]) -> int:
    files = [argument for argument in arguments if argument != "--check"]
    if not files:
        command = ["cargo", "run", "-q", "-p", "cartwire", "--example", "schema"]
        schema = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=TARGET.parents[3]).stdout
    else:
        schema = sys.stdin.buffer.read() if files[0] == "-" else Path(files[0]).read_bytes()
    text = generate(schema)
    if "--check" in arguments:
        if text == TARGET.read_text(encoding="utf-8"):
            return 0
        print(f"{TARGET} is not what the model says; run `make types`", file=sys.stderr)
        return 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
