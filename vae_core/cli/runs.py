"""``runs``: list the runs of the store, or add one from a .zip file."""

import argparse
import dataclasses
from typing import Any

from vae_core.basics.text import printable
from vae_core.cli.shared import (
    ALL_DONE,
    NOT_ALL_DONE,
    print_json,
    tell,
)
from vae_core.runs.failures import standstill_sentence
from vae_core.runs.run import Run, RunError
from vae_core.runs.store import DamagedRun, RunStore


def list_runs(given: argparse.Namespace) -> int:
    """Print the runs of the store, newest first. With ``--add``, add a run and print it."""
    if given.add is not None:
        return _add(given)
    store = RunStore()
    rows = [_run_row(store, entry) for entry in store.entries()]
    if given.json:
        print_json({"store": str(store.folder), "runs": rows})
    else:
        for row in rows:
            state = "copied" if row.get("copied") else row["state"]
            named = row["error"] if row["state"] == "damaged" else row["name"]
            why = f". {row['standstill']}" if row.get("standstill") else ""
            tell(f"{printable(row['id'])}  {state:8}  {printable(named)}{why}")
    return ALL_DONE if all(row["state"] != "damaged" for row in rows) else NOT_ALL_DONE


def _add(given: argparse.Namespace) -> int:
    from vae_core.runs.importing import add_run

    run = add_run(given.add, RunStore())
    state = run.status().state
    if given.json:
        print_json({"id": run.id, "name": run.name, "folder": str(run.folder), "state": state})
    else:
        tell(f"{run.id}  {state:8}  {run.name}")
    return ALL_DONE


def _run_row(store: RunStore, entry: Run | DamagedRun) -> dict[str, Any]:
    if isinstance(entry, DamagedRun):
        return {"id": entry.id, "state": "damaged", "error": entry.reason}
    try:
        status = entry.status()
        copied = store.waits_for_consent(entry, status)
        return {
            "id": entry.id,
            "name": entry.name,
            "folder": str(entry.folder),
            **dataclasses.asdict(status),
            "copied": copied,
            "standstill": "" if copied else standstill_sentence(entry, status),
            "evaluation": entry.evaluation(),
        }
    except RunError as error:
        return _run_row(store, DamagedRun(entry.folder, str(error)))
