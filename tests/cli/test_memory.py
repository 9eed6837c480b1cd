"""Memory that answers of the largest size took is given back."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import re, sys
from pathlib import Path
from exporter.cli.memory import return_large_blocks

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024

if sys.argv[1] == "returned":
    return_large_blocks()
before = resident()
for megabytes in (24, 20, 16):
    block = bytearray(b"x") * (megabytes * 2**20)
    kept = [bytes(1000) for _ in range(1000)]  # lie behind the block
    del block
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_large_blocks_are_returned_and_would_not_be_by_themselves() -> None:
    def kept(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert kept("returned") < 8
    assert kept("by itself") > 14
