"""What a gallery knows of each of its tables and figures: one JSON file each."""

import json
from operator import itemgetter
from pathlib import Path

from cmbkit.atomic import write_whole
from cmbkit.reporting.gallery_page import order

FOLDER = ".entries"


class GalleryError(ValueError):
    """A number or a folder that the gallery cannot use."""


def write_entry(path: Path, entry: dict) -> None:
    """Write an entry, unless nothing but its commit is other than in the one that is there.

    So an item that comes out the same names the commit that first made it.
    """
    text = json.dumps(entry, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        same = there | {"commit": ""} == json.loads(text) | {"commit": ""}
    except (OSError, ValueError, TypeError):
        same = False
    if not same:
        write_whole(path, text)


def entry_text(path: Path) -> str:
    """An entry as it stands in its file; empty where there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def read_entries(folder) -> list[dict]:
    """Entries of a gallery in the thesis's order: chapters, in each tables and then figures."""
    entries = []
    for path in (Path(folder) / FOLDER).glob("*.json"):
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            if entry["kind"] != "figure" and "html" not in entry:
                raise LookupError("html")
            entries.append((order(entry["kind"], entry["number"]), entry))
        except (ValueError, LookupError, TypeError) as error:
            what = f"{path}: expected an entry of a table or figure, found: {error!r}"
            raise GalleryError(f"{what}; run its notebook again, or delete the file") from None
    return [entry for _, entry in sorted(entries, key=itemgetter(0))]
