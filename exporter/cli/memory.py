"""Memory that goes back to the system once it is free."""

import ctypes

LARGE = 1024 * 1024
"""Bytes from which a block of memory is returned as soon as it is freed."""

_MMAP_THRESHOLD = -3
"""The parameter's number in glibc's ``malloc.h``."""


def return_large_blocks() -> None:
    """Let the C library return every large block to the system.

    By default glibc does so until the first one is freed. From then on it takes blocks of that size from its heap, up
    to 32 MiB, and keeps up to twice as much of that when it is free: a few answers of the largest size that is read
    would be resident for ever. Other C libraries have no such setting, and no need of it.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_MMAP_THRESHOLD, LARGE)
