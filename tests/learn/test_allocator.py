import os
import sys

import psutil
import pytest

from skinbench.learn.allocator import keep_pages, release_pages

glibc = sys.platform.startswith("linux") and "glibc" in (
    os.confstr("CS_GNU_LIBC_VERSION") or "" if hasattr(os, "confstr") else ""
)


@pytest.mark.skipif(not glibc, reason="glibc's allocator is not in use here")
def test_freed_blocks_stay_until_they_are_released() -> None:
    assert keep_pages()
    process = psutil.Process()
    block = bytearray(os.urandom(1 << 20) * 200)
    held = process.memory_info().rss
    del block
    kept = process.memory_info().rss
    release_pages()
    released = process.memory_info().rss
    assert held - kept < 50 << 20
    assert kept - released > 100 << 20
