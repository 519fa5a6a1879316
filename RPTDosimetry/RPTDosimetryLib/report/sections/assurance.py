"""What was assumed, warned and changed, by whom, with what program and from which files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from RPTDosimetryLib.report.document import Block, Heading, KeyValues, Paragraph, Table, listed
from RPTDosimetryLib.report.run_record import RunRecord
from RPTDosimetryLib.report.sections.stated import cell

#: A folder of more input files is one line of the report; provenance.json lists every file.
MOST_FILES: Final = 12


def responsibility_blocks(record: RunRecord) -> list[Block]:
    """Who answers for the report, and all that was said on the way."""
    told = record.told.get("report") or {}
    people = (
        ("Answers for the report", told.get("reviewer") or "nobody named"),
        ("Comment", told.get("comment") or "–"),
    )
    return [
        Heading("Assumptions, warnings and changes"),
        KeyValues(people),
        Heading("Given by people in place of the files", 2),
        listed(list(_given(record)), "Nothing: all values come from the files and the defaults."),
        Heading("Changed by hand", 2),
        listed(list(_edited(record)), "No transform, contour or name was changed by hand, as far as the record says."),
        Heading("Warnings of the run", 2),
        listed(record.told["warnings"], "None."),
    ]


def record_blocks(record: RunRecord) -> list[Block]:
    """Versions, seeds, choices, and the SHA-256 of every file in and out."""
    told = record.told
    seeds = tuple((where, cell(value)) for where, value in _seeds(told["settings"]))
    flat = list(_flat(told["settings"]))
    choices = tuple((where, cell(value)) for where, value in flat if cell(value) != "–")
    unset = ", ".join(where for where, value in flat if cell(value) == "–")
    hashes = [("input", name, digest) for name, digest in _grouped(told["inputs_sha256"])]
    hashes += [("result", name, digest) for name, digest in told["outputs_sha256"].items()]
    hashes += [("named by a setting", name, digest) for name, digest in told["settings_files_sha256"].items()]
    return [
        Heading("Record"),
        KeyValues((("Computed", told["written"]), ("Study folder", told["study"] or "not a folder"))),
        Heading("Versions", 2),
        KeyValues(tuple(told["versions"].items())),
        Heading("Seeds of random numbers", 2),
        KeyValues(seeds) if seeds else Paragraph("None: nothing in this run is random."),
        Heading("Settings", 2),
        KeyValues(choices) if choices else Paragraph("Not recorded."),
        Paragraph(f"Not set: {unset or 'none'}.", small=True),
        Table(("kind", "file", "SHA-256"), tuple(hashes), "Files", (9, 22, 46), (0, 1, 2)),
        Paragraph(
            f"{len(told['tables_sha256'])} tables and kernels of the program: SHA-256 in provenance.json.", small=True
        ),
    ]


def _grouped(inputs: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(file, SHA-256); a folder of more than MOST_FILES is one line, with the SHA-256 over its lines of the record."""
    folders: dict[str, list[str]] = {}
    for name in inputs:
        folders.setdefault(name.rpartition("/")[0], []).append(name)
    for folder, names in folders.items():
        if len(names) <= MOST_FILES:
            yield from ((name, inputs[name]) for name in names)
        else:
            lines = "".join(f"{inputs[name]}  {name}\n" for name in sorted(names))
            told = f"{folder or 'study folder'}: {len(names)} files (SHA-256 of their lines, as sha256sum prints them)"
            yield told, hashlib.sha256(lines.encode()).hexdigest()


def _given(record: RunRecord) -> Iterator[str]:
    """Values of [study] and [calibration] that stand in place of what the files say."""
    settings = record.told["settings"]
    for section in ("study", "calibration"):
        for where, value in _flat((settings.get(section) or {}) if isinstance(settings, Mapping) else {}):
            if value not in (None, [], {}, "", True, False) and where != "decay_during_scan":
                yield f"{section}.{where} = {cell(value)}"


def _edited(record: RunRecord) -> Iterator[str]:
    for number, found in enumerate(record.step("registration")["alignments"], start=1):
        if found["source"] != "search":
            yield f"Registration of time point {number}: {found['source']}."
    for voi in record.step("vois"):
        review = voi["review"]
        if review is not None and review["comment"]:
            yield f"{voi['name']}: {review['comment']} ({review['reviewer']}, {review['time']})."


def _seeds(settings: Any) -> Iterator[tuple[str, Any]]:
    return ((where, value) for where, value in _flat(settings) if where.split(".")[-1].endswith("seed"))


def _flat(settings: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its place, as run.toml names it."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            yield from _flat(value, f"{at}.{key}" if at else str(key))
    elif at:
        yield at, settings
