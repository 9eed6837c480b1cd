"""Untrusted text, made fit to be shown."""


def printable(text: str) -> str:
    """The text with everything that a terminal would obey, or that reorders what is read, replaced; lines stay."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text)
