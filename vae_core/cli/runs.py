"""``runs``: list the runs of the store."""

import argparse
import dataclasses
from typing import Any

from vae_core.cli.shared import (
    ALL_DONE,
    NOT_ALL_DONE,
    print_json,
)
from vae_core.runs.run import Run, RunError
from vae_core.runs.store import DamagedRun, RunStore

# ---- runs


def list_runs(given: argparse.Namespace) -> int:
    """Print the runs of the store, newest first."""
    from vae_core.data.decode import printable

    rows = [_run_row(entry) for entry in RunStore().entries()]
    if given.json:
        print_json({"store": str(RunStore().folder), "runs": rows})
    else:
        for row in rows:
            named = printable(row.get("name") or row["error"])
            print(f"{row['id']}  {row['state']:8}  {named}")
    return ALL_DONE if all(row["state"] != "damaged" for row in rows) else NOT_ALL_DONE


def _run_row(entry: Run | DamagedRun) -> dict[str, Any]:
    if isinstance(entry, DamagedRun):
        return {"id": entry.folder.name, "state": "damaged", "error": entry.reason}
    try:
        return {
            "id": entry.id,
            "name": entry.name,
            "folder": str(entry.folder),
            **dataclasses.asdict(entry.status()),
            "evaluation": entry.evaluation(),
        }
    except RunError as error:
        return _run_row(DamagedRun(entry.folder, str(error)))
