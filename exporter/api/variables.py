"""What environment variables of the operating system say about the network, apart from the configuration."""


class VariableError(Exception):
    """An environment variable that matters is unusable; one line that names it, and never quotes a secret."""
