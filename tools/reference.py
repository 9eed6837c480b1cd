"""The reference of the configuration, from its types: their fields, defaults, bounds and docstrings."""

import inspect
import re
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from exporter.config.duration import Duration
from exporter.config.model import Config
from tools.markdown import table

PLAIN = {bool: "true or false", int: "number", float: "number", str: "text", Path: "path", Duration: "duration"}


def settings() -> str:
    """Every setting, section by section, in the order of the file."""
    return "\n\n".join(_sections("", Config))


def _sections(name: str, struct: type[msgspec.Struct]) -> list[str]:
    hints = get_type_hints(struct, include_extras=True)
    meanings = descriptions(struct)
    rows, nested = [], []
    for field in msgspec.structs.fields(struct):
        kind = hints[field.name]
        inner, suffix = _struct(kind)
        if inner is None:
            rows.append((f"`{field.name}`", _type(kind), _default(_value(field)), meanings.get(field.name, "")))
        else:
            where = f"{name}.{field.name}{suffix}".lstrip(".")
            heading = where.replace("[]", "[…]")
            rows.append(
                (f"`{field.name}`", f"see [`{heading}`](#{_anchor(heading)})", "", meanings.get(field.name, ""))
            )
            nested += _sections(where, inner)
    title = name.replace("[]", "[…]") or "The sections"
    heading = f"## `{title}`" if name else f"## {title}"
    return [f"{heading}\n\n{table(('key', 'type', 'default', 'meaning'), rows)}", *nested]


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w-]", "", heading.lower())


def descriptions(struct: type[msgspec.Struct]) -> dict[str, str]:
    """What a docstring says of each attribute."""
    documentation = inspect.getdoc(struct) or ""
    _, _, attributes = documentation.partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE)
    return {name: _markdown(text) for name, text in found}


def _markdown(text: str) -> str:
    plain = re.sub(r"\s+", " ", re.sub(r":\w+:`[\w.]*?(\w+)`", r"`\1`", text)).replace("``", "`").replace("|", "\\|")
    for word, written in (("None", "null"), ("True", "true"), ("False", "false")):
        plain = re.sub(rf"\b{word}\b", f"`{written}`", plain)
    return plain


def _struct(kind: Any) -> tuple[type[msgspec.Struct] | None, str]:
    """The section that a type is or has many of."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind, ""
    many = "[]" if get_origin(kind) is tuple else ""
    for part in get_args(kind):
        inner, suffix = _struct(part)
        if inner is not None:
            return inner, many + suffix
    return None, ""


def _type(kind: Any) -> str:
    if get_origin(kind) is Annotated:
        base, meta = get_args(kind)
        low = f"above {meta.gt}" if meta.gt is not None else f"from {meta.ge}"
        return f"{_type(base)} {low} to {meta.le}"
    if kind in PLAIN:
        return PLAIN[kind]
    if get_origin(kind) is dict:
        return "mapping of names to numbers"
    if get_origin(kind) is tuple:
        return f"list of {_type(get_args(kind)[0])}"
    return " or ".join(_type(part) for part in get_args(kind) if part is not type(None))


def _value(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _default(value: Any) -> str:
    if value is msgspec.NODEFAULT:
        return "required"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(repr, value))}]`"
    if value is None or isinstance(value, bool):
        return f"`{str(value).lower().replace('none', 'null')}`"
    if isinstance(value, float) and not isinstance(value, Duration):
        return f"`{value:g}`"
    return f"`{value}`"
