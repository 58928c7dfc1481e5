"""A sweep as a process of its own, to be killed: python -m tests.sweep.drive STORE CELLS WHERE."""

from __future__ import annotations

import sys

from scalinglaws.sweep import grid, open_executor, sweep
from tests.sweep.cells import drowsy

if __name__ == "__main__":
    store, cells, where = sys.argv[1:]
    given = {"workers": int(where)} if where.isdigit() else {"scheduler": where} if where != "serial" else {}
    with open_executor(**given) as executor:
        sweep(drowsy, grid(index=range(int(cells))), store=store, executor=executor)
