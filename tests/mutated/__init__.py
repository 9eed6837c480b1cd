"""What is broken on purpose, to see whether a test notices; `tests/mutations.py` does it."""
