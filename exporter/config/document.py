"""A YAML document as plain data that remembers the line of each value."""

from collections.abc import Iterator

import yaml

from exporter.config.problem import ConfigError, KeyPath, Problem


class Document:
    """One YAML document.

    Attributes:
        data: The document as mappings, lists and scalars; an empty document is an empty mapping.
    """

    def __init__(self, text: str | bytes) -> None:
        """Read a document.

        Args:
            text: YAML; bytes in UTF-8 or with a byte order mark.

        Raises:
            ConfigError: It is not YAML, or a mapping has a key twice or a key that is no text.
        """
        loader = yaml.SafeLoader(text) if isinstance(text, str) else _loader(text)
        try:
            self._root = loader.get_single_node()
            if problems := list(_key_problems(self._root)):
                raise ConfigError(problems)
            data = loader.construct_document(self._root) if self._root is not None else None
        except yaml.MarkedYAMLError as error:
            raise ConfigError([_syntax_problem(error)]) from error
        except (yaml.YAMLError, ValueError) as error:  # control characters; a date that does not exist
            raise ConfigError([Problem(f"not valid YAML: {_first_line(error)}")]) from error
        except RecursionError:
            raise ConfigError([Problem("not a configuration: it is nested too deeply")]) from None
        finally:
            loader.dispose()
        self.data: object = {} if data is None else data

    def line(self, path: KeyPath) -> int | None:
        """The line of the value at a path, or of the innermost value around it that is there, counted from 1."""
        line = None
        for found in self._descend(path):
            line = found
        return line

    def has(self, path: KeyPath) -> bool:
        """Whether the document itself gives a value at this path."""
        return len(list(self._descend(path))) == len(path)

    def _descend(self, path: KeyPath) -> Iterator[int]:
        """The line of each part of a path, as far as the document has it."""
        node = self._root
        for part in path:
            step = _child(node, part)
            if step is None:
                return
            line, node = step
            yield line


def _loader(text: bytes) -> yaml.SafeLoader:
    try:
        return yaml.SafeLoader(text)
    except yaml.YAMLError as error:
        raise ConfigError([Problem(f"not a YAML file in UTF-8: {_first_line(error)}")]) from error


def _child(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        item = node.value[part]
        return item.start_mark.line + 1, item
    return None


def _key_problems(root: yaml.Node | None) -> Iterator[Problem]:
    """Keys that YAML readers silently ignore: given twice, or read as a number or a truth value."""
    seen: set[int] = set()
    waiting: list[tuple[KeyPath, yaml.Node | None]] = [((), root)]
    while waiting:
        path, node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [((*path, index), item) for index, item in enumerate(node.value)]
        elif isinstance(node, yaml.MappingNode):
            yield from _mapping_problems(path, node)
            waiting += [((*path, key.value), value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]


def _mapping_problems(path: KeyPath, node: yaml.MappingNode) -> Iterator[Problem]:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            yield Problem("a key must be text, not a list or a mapping", path, line)
        elif key.tag == "tag:yaml.org,2002:merge":
            continue
        elif key.tag != "tag:yaml.org,2002:str":
            yield Problem(f"the key `{key.value}` is not read as text; put it in quotes", path, line)
        elif key.value in lines:
            yield Problem(f"this key is already given in line {lines[key.value]}; keep one", (*path, key.value), line)
        else:
            lines[key.value] = line


def _syntax_problem(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = ", ".join(part for part in (error.context, error.problem) if part)
    return Problem(f"not valid YAML: {what}", line=mark.line + 1 if mark else None)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
