"""Which series and labels a PromQL expression names: a tokenizer, for no Python library parses PromQL here."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<string>"(?:\\.|[^"\\])*")
    | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
    | (?P<range>\[[^\]]*\])
    | (?P<number>[0-9][0-9a-z.]*)
    | (?P<operator>=~|!~|!=|==|>=|<=|[-+*/%^<>={}(),])
    | (?P<space>\s+)
    """,
    re.VERBOSE,
)
_GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = {"and", "or", "unless", "bool", "offset", "Inf", "NaN"}


@dataclass(frozen=True, slots=True)
class Selector:
    """A vector selector.

    Attributes:
        name: The series' name; empty if only matchers select it.
        matchers: The matchers as written, such as ``job=~"$job"``.
    """

    name: str
    matchers: tuple[str, ...]

    @property
    def labels(self) -> set[str]:
        return {re.split(r"[=!]", matcher, maxsplit=1)[0] for matcher in self.matchers}


@dataclass(frozen=True, slots=True)
class Names:
    """What an expression names.

    Attributes:
        selectors: Its selectors, in order.
        grouped: The labels of its groupings and vector matchings.
        functions: Its functions and aggregations.
    """

    selectors: tuple[Selector, ...]
    grouped: frozenset[str]
    functions: frozenset[str]


def _tokens(expression: str) -> list[tuple[str, str]]:
    tokens = []
    position = 0
    while position < len(expression):
        match = _TOKEN.match(expression, position)
        if match is None or match.lastgroup is None:
            raise ValueError(f"not PromQL at {expression[position:]!r}")
        if match.lastgroup != "space":
            tokens.append((match.lastgroup, match.group()))
        position = match.end()
    return tokens


def _until(tokens: Iterator[tuple[str, str]], end: str) -> list[str]:
    collected: list[str] = []
    for _, text in tokens:
        if text == end:
            return collected
        collected.append(text)
    raise ValueError(f"no closing {end}")


def _matchers(texts: list[str]) -> tuple[str, ...]:
    return tuple("".join(part) for part in _split(texts))


def _split(texts: list[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for text in texts:
        if text == ",":
            yield part
            part = []
        else:
            part.append(text)
    if part:
        yield part


def names_in(expression: str) -> Names:
    tokens = _tokens(expression)
    selectors: list[Selector] = []
    grouped: set[str] = set()
    functions: set[str] = set()
    stream = iter(enumerate(tokens))

    def following(index: int) -> str:
        return tokens[index + 1][1] if index + 1 < len(tokens) else ""

    rest = (token for _, token in stream)
    for index, (kind, text) in stream:
        if text == "{":
            selectors.append(Selector("", _matchers(_until(rest, "}"))))
        elif kind != "name" or text in _WORDS:
            continue
        elif text in _GROUPING:
            if following(index) == "(":
                next(rest)
                grouped.update(label for label in _until(rest, ")") if label != ",")
        elif following(index) == "(" or following(index) in _GROUPING:
            functions.add(text)
        elif following(index) == "{":
            next(rest)
            selectors.append(Selector(text, _matchers(_until(rest, "}"))))
        else:
            selectors.append(Selector(text, ()))
    return Names(tuple(selectors), frozenset(grouped), frozenset(functions))
