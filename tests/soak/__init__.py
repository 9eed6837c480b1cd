"""Weeks of operation in minutes."""
