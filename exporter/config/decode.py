"""From plain data to the configuration's types, and from msgspec's errors to ones that say how to fix them."""

import difflib
import re
import types
import typing
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from exporter.config.document import Document
from exporter.config.duration import Duration
from exporter.config.problem import ConfigError, KeyPath, Problem

T = TypeVar("T")

_ERROR = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_PATH_PART = re.compile(r"\.(\w+)|\[(\d+)\]")
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING_FIELD = re.compile(r"Object missing required field `(.*)`")
_WRONG_TYPE = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_OUT_OF_BOUNDS = re.compile(r"Expected `\w+` (<=|>=|<|>) (.*)")
_BOUNDS = {"<=": "at most", ">=": "at least", "<": "less than", ">": "more than"}
_TYPES = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "null",
    "object": "a mapping",
    "str": "text",
}
MAX_PROBLEMS = 50
"""Problems after which no more are looked for."""

_QUOTABLE = ("bool", "int", "float", "date", "datetime")


def decode(document: Document, shape: type[T]) -> T:
    """Decode a document in one step, with the defaults for whatever it leaves out.

    Args:
        document: The document.
        shape: The type of the whole of it.

    Returns:
        The configuration, whose parts have the right types and bounds; what they mean together is not checked.

    Raises:
        ConfigError: A key is unknown or missing, or a value has the wrong type or is out of bounds.
    """
    problems: dict[KeyPath, Problem] = {}
    seen: set[str] = set()
    while True:
        try:
            config = msgspec.convert(document.data, shape, dec_hook=_decode_custom)
        except msgspec.ValidationError as error:
            # msgspec stops at the first error. What is wrong is taken out, so that the next one is found as well;
            # what is missing only because it was taken out is no error of its own.
            problem = _translate(str(error), document, shape)
            if not any(problem.path[: len(path)] == path for path in problems):
                problems[problem.path] = problem
            if (
                len(problems) < MAX_PROBLEMS
                and str(error) not in seen
                and _mend(document.data, problem.path, str(error))
            ):
                seen.add(str(error))
                continue
        if problems:
            raise ConfigError(problems.values())
        return config


def _decode_custom(type_: type, value: object) -> object:
    if type_ is Duration:
        return Duration.parse(value)
    if type_ is Path:
        if not isinstance(value, str) or not value:
            raise ValueError("expected the path of a file")
        return Path(value)
    raise NotImplementedError(type_)


def _translate(error: str, document: Document, shape: type) -> Problem:
    match = cast("re.Match[str]", _ERROR.fullmatch(error))
    path: KeyPath = tuple(int(index) if index else name for name, index in _PATH_PART.findall(match["path"] or ""))
    what = match["what"]
    if (match["path"] or "").endswith("[...]"):
        path = (*path, *_not_a_number(document.data, path))
    if unknown := _UNKNOWN_FIELD.fullmatch(what):
        path = (*path, unknown[1])
        message = _unknown_key(unknown[1], _known_keys(shape, path[:-1]))
    elif missing := _MISSING_FIELD.fullmatch(what):
        path = (*path, missing[1])
        message = "this key is missing"
    elif wrong := _WRONG_TYPE.fullmatch(what):
        message = f"expected {_name_types(wrong[1])}, got {_name_types(wrong[2])}"
        if wrong[1].startswith("str") and wrong[2] in _QUOTABLE:
            message += "; put it in quotes"
    elif bounds := _OUT_OF_BOUNDS.fullmatch(what):
        message = f"must be {_BOUNDS[bounds[1]]} {bounds[2].removesuffix('.0')}"
    else:
        message = what
    return Problem(message, path, document.line(path))


def _not_a_number(data: object, path: KeyPath) -> Iterator[str]:
    """The key of the value at fault in a mapping of names to numbers, which msgspec does not name."""
    for part in path:
        data = cast("Any", data)[part]
    values = cast("dict[str, object]", data)
    wrong = (name for name, value in values.items() if isinstance(value, bool) or not isinstance(value, int | float))
    return islice(wrong, 1)


def _unknown_key(key: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(key, known, n=1)
    if nearest:
        return f"unknown key; did you mean `{nearest[0]}`?"
    return f"unknown key; the keys here are {', '.join(known)}"


def _name_types(names: str) -> str:
    return " or ".join(_TYPES.get(name, f"a {name}") for name in names.split(" | "))


def _known_keys(shape: type, path: KeyPath) -> tuple[str, ...]:
    """The keys of the mapping at a path, from the configuration's types."""
    type_: Any = shape
    for part in path:
        type_ = typing.get_args(type_)[0] if isinstance(part, int) else typing.get_type_hints(type_)[part]
        if isinstance(type_, types.UnionType):
            type_ = next(option for option in type_.__args__ if option is not type(None))
    return tuple(field.name for field in msgspec.structs.fields(type_))


def _mend(data: object, path: KeyPath, error: str) -> bool:
    """Take out what an error is about, or put something in its place; False if that cannot be done."""
    if not path:
        return False
    container: Any = data
    for part in path[:-1]:
        container = container[part]
    key = path[-1]
    if not isinstance(container, dict | list):  # what YAML's own tags make: a set, say
        return False
    if isinstance(container, list):  # an item cannot be taken out, or the paths of the next ones would be wrong
        container[cast("int", key)] = {} if "`object`" in error else 0 if "duration" in error else ""
    elif key in container:
        del container[key]
    else:
        container[key] = ""  # every key that must be there is text
    return True
