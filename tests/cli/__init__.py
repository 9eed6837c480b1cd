"""Commands, each by itself."""
