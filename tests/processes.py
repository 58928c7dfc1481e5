"""Watch the processes of a test in /proc."""

from __future__ import annotations

import time
from pathlib import Path


def descendants(pid):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _stat(entry.name)[1:2] == [str(pid)]:
            found += [int(entry.name), *descendants(int(entry.name))]
    return found


def is_alive(pid):
    return _stat(pid)[:1] not in ([], ["Z"])


def _stat(pid):
    """State, parent and more of a process; nothing if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
