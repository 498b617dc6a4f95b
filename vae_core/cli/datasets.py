"""``datasets``: add data sets of the user's own images, list, show, rename, export, remove them."""

import argparse
from collections.abc import Mapping
from typing import Any

from vae_core.basics.progress import result_of
from vae_core.basics.text import printable
from vae_core.cli.options import add_settings, options_of
from vae_core.cli.shared import (
    ALL_DONE,
    NOT_ALL_DONE,
    a_path,
    print_json,
    report_share,
    say,
    tell,
)
from vae_core.settings.data_sets import DataError, DatasetInfo
from vae_core.settings.own_data import AddOptions

_SHOWN_CLASSES = 12
_SHOWN_REJECTED = 5


def add_datasets(commands: Any) -> None:
    about = "add data sets of your own images, list, show, rename, export or remove them"
    parser = commands.add_parser("datasets", help=about)
    actions = parser.add_subparsers(required=True, metavar="add|list|show|rename|export|remove")
    adding = actions.add_parser(
        "add",
        help="make a data set of a folder, an archive, an array file or a Parquet file",
        description="Make a data set of images: a folder, a .zip, .tar or .tar.gz of one, a .npy "
        "or .npz array, or a Parquet file. Folders called train, validation and test are the "
        "parts; the folders below them, or a CSV file with the columns file,label[,split], are the "
        "classes. What is not given is suggested by the files, and said.",
    )
    adding.add_argument("name", metavar="NAME", help="its name in commands and links")
    adding.add_argument("source", type=a_path, metavar="SOURCE", help="where the images are")
    add_settings(adding, AddOptions)
    listing = actions.add_parser("list", help="list every data set, built-in and own")
    showing = actions.add_parser("show", help="show what is known about a data set")
    showing.add_argument("name", metavar="NAME")
    renaming = actions.add_parser("rename", help="give a data set of your own another name")
    renaming.add_argument("name", metavar="OLD")
    renaming.add_argument("new", metavar="NEW", help="runs on the data set find it by both names")
    exporting = actions.add_parser(
        "export",
        help="write a data set of your own into a .zip file of PNG images",
        description="Write a data set of your own into a .zip file: its images as PNG files in the "
        "folders train, validation and test, and labels.csv. 'datasets add NAME FILE.zip' makes "
        "the same data set of it, on another computer too.",
    )
    exporting.add_argument("name", metavar="NAME")
    exporting.add_argument("file", type=a_path, metavar="FILE.zip", help="a new file")
    removing = actions.add_parser("remove", help="remove a data set from the lists")
    removing.add_argument("name", metavar="NAME")
    for action, command in (
        (adding, add),
        (listing, list_all),
        (showing, show),
        (renaming, rename),
        (exporting, export),
        (removing, remove),
    ):
        action.add_argument("--json", action="store_true", help="print one JSON object")
        action.set_defaults(command=command)


def add(given: argparse.Namespace) -> int:
    """Make a data set, and say what was suggested and what was rejected."""
    from vae_core.data.own import add_dataset_steps

    options = options_of(given, AddOptions)
    made = result_of(add_dataset_steps(given.name, given.source, options), report_share)
    for sentence in (*made.record["reasons"], *made.record["notes"]):
        say(sentence)
    _say_rejected(made.record)
    if given.json:
        print_json(_about(made.info, made.record))
    else:
        tell(_summary(made.info))
    return ALL_DONE


def list_all(given: argparse.Namespace) -> int:
    """List the data sets. A damaged one is listed with the reason."""
    from vae_core.data.catalogue import BUILT_IN, stored_datasets
    from vae_core.data.kept import damaged_datasets

    damaged = damaged_datasets()
    found = stored_datasets()
    if given.json:
        rows = [{**_brief(each.info), "built_in": name in BUILT_IN} for name, each in found.items()]
        broken = [{"name": name, "error": reason} for name, reason in damaged.items()]
        print_json({"datasets": rows, "damaged": broken})
    else:
        for each in found.values():
            tell(_summary(each.info))
        for name, reason in damaged.items():
            tell(f"{name}: damaged, {reason}")
    return NOT_ALL_DONE if damaged else ALL_DONE


def show(given: argparse.Namespace) -> int:
    """Show one data set, built-in or own."""
    from vae_core.data.catalogue import stored_dataset
    from vae_core.data.kept import KeptDataset

    stored = stored_dataset(given.name)
    record = stored.record if isinstance(stored, KeptDataset) else {}
    if given.json:
        print_json(_about(stored.info, record))
        return ALL_DONE
    tell(_summary(stored.info))
    tell(f"From {record['source']}, {record['added']}." if record else "Built in.")
    if record:
        tell(str(record["split"]))
        for sentence in (*record["reasons"], *record["notes"]):
            tell(sentence)
        for each in record["rejected"]:
            tell(f"rejected {each['file']}: {each['reason']}")
    return ALL_DONE


def rename(given: argparse.Namespace) -> int:
    """Rename a data set of the user's own."""
    from vae_core.data.renaming import rename_dataset

    info = rename_dataset(given.name, given.new)
    if given.json:
        print_json(_brief(info) | {"former_names": list(info.former_names)})
    else:
        tell(f"{given.name} is called {info.name} now. Runs on it find it by both names.")
    return ALL_DONE


def export(given: argparse.Namespace) -> int:
    """Write a data set of the user's own into a .zip file."""
    from vae_core.data.exchange import export_steps

    if given.file.suffix.lower() != ".zip":
        raise DataError(f"{given.file} must be the path of a .zip file.")
    if given.file.exists():
        raise DataError(f"{given.file} exists already; choose the path of a new file.")
    result_of(export_steps(given.name, given.file), report_share)
    size = given.file.stat().st_size
    if given.json:
        print_json({"name": given.name, "file": str(given.file), "bytes": size})
    else:
        tell(f"Wrote {given.file}, {size / 1e6:,.1f} MB. 'datasets add NAME FILE' takes it back.")
    return ALL_DONE


def remove(given: argparse.Namespace) -> int:
    """Remove a data set of the user's own. Its folder is moved, and not deleted."""
    from vae_core.data.kept import remove_dataset

    moved = remove_dataset(given.name)
    if given.json:
        print_json({"name": given.name, "removed": True, "folder": str(moved)})
    else:
        tell(f"Removed {printable(given.name)}. Nothing was deleted: its folder is {moved}.")
    return ALL_DONE


def _about(info: DatasetInfo, record: Mapping[str, Any]) -> dict[str, Any]:
    """Everything about a data set, in one form for built-in ones and the user's own."""
    known = {
        "rejected": [],
        "rejected_count": 0,
        "source": "built in",
        **{key: value for key, value in record.items() if key not in ("format", "counts")},
    }
    return {**_brief(info), **known, "classes": list(info.classes), "digest": info.digest or None}


def _brief(info: DatasetInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "title": info.title,
        "image_shape": list(info.image_shape),
        "classes": list(info.classes),
        "counts": dict(info.sizes),
    }


def _summary(info: DatasetInfo) -> str:
    channels, height, width = info.image_shape
    colour = "colour" if channels == 3 else "grey"
    counts = ", ".join(f"{count:,} {split}" for split, count in info.sizes.items())
    return f"{info.name}  {height}×{width} {colour}; {counts}; {_classes(info)}"


def _classes(info: DatasetInfo) -> str:
    count = len(info.classes)
    if not count:
        return "no classes"
    names = ", ".join(info.classes[:_SHOWN_CLASSES]) + "…" * (count > _SHOWN_CLASSES)
    return f"{count:,} {'class' if count == 1 else 'classes'}: {names}"


def _say_rejected(record: Mapping[str, Any]) -> None:
    count, listed = record["rejected_count"], record["rejected"]
    if not count:
        return
    say(f"{count:,} {'file was' if count == 1 else 'files were'} rejected:")
    for each in listed[:_SHOWN_REJECTED]:
        say(f"  {each['file']}: {each['reason']}")
    if count > _SHOWN_REJECTED:
        say(f"  … and {count - _SHOWN_REJECTED:,} more; 'datasets show NAME' lists them.")
