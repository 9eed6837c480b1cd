"""The patterns that choose environments by name or ID, applied to names that somebody else chose.

A pattern is the operator's, a name is untrusted text: a pattern that backtracks must not hang the exporter.
"""

import regex
import structlog

MATCH_SECONDS = 0.02
"""How long one pattern may take on one name; none that is fit for the purpose takes a thousandth of it."""

log = structlog.get_logger()


class PatternError(ValueError):
    """A text that is not a regular expression."""


class Pattern:
    """A regular expression that matches whole names and IDs, within bounded time.

    Args:
        text: The expression.

    Raises:
        PatternError: It is none; the error says why.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._compiled = regex.compile(text, regex.VERSION0)
        except (regex.error, RecursionError, OverflowError, MemoryError) as error:
            raise PatternError(str(error) or type(error).__name__) from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    def matches(self, text: str) -> bool:
        """Whether the expression matches the whole text; not if it cannot say so in time, which is logged."""
        try:
            return self._compiled.fullmatch(text, timeout=MATCH_SECONDS) is not None
        except TimeoutError:
            log.warning("a pattern takes too long on a name and counts as no match", pattern=self.text, name=text[:100])
            return False
