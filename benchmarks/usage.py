"""What a process uses, asked of the operating system (Linux)."""

import ctypes
import os
import time
from dataclasses import dataclass
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

_KIB = 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """A process's memory in bytes.

    Attributes:
        resident: In use now.
        peak: The most it has been.
    """

    resident: int
    peak: int


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used since its start, in user and kernel mode, all threads together."""
    clock = ctypes.c_int()
    error = _libc.clock_getcpuclockid(pid, ctypes.byref(clock))
    if error:
        raise ProcessLookupError(error, os.strerror(error), str(pid))
    return time.clock_gettime(clock.value)


def memory(pid: int) -> Memory:
    """The memory that a process uses and has used at most."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Vm")
    )
    return Memory(*(int(fields[name].split()[0]) * _KIB for name in ("VmRSS", "VmHWM")))
