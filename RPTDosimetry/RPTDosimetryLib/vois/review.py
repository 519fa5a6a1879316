"""Who accepted which contour, and when: a small file beside the contours, void for a contour that has changed since.

{"liver": {"reviewer": "A. Physicist", "time": "2026-01-30T14:05:00+00:00", "comment": "", "mask_sha256": "…"}}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.records import Review, Voi

KEYS: Final = ("reviewer", "time", "comment", "mask_sha256")


@dataclass(frozen=True)
class Recorded:
    """A review and the contour it was given to."""

    review: Review
    mask_sha256: str


def mask_sha256(voi: Voi) -> str:
    """SHA-256 of the mask's bits and of its grid (shape; spacing, origin and direction to 1e-4)."""
    shape, geometry = voi.grid.shape_zyx, (*voi.grid.spacing_mm, *voi.grid.origin_mm, *voi.grid.direction)
    # + 0.0 makes −0 and 0 one number, as they are one place
    where = np.round(np.array(geometry), 4) + 0.0
    bits = np.packbits(np.ascontiguousarray(voi.mask))
    return hashlib.sha256(repr(shape).encode() + where.astype("<f8").tobytes() + bits.tobytes()).hexdigest()


def read_reviews(file: Path) -> dict[str, Recorded]:
    """Reviews by the VOI's name; none when there is no such file. Raises VoiError for a file that is not one."""
    if not file.exists():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise VoiError(f"{file} cannot be read as reviews ({error}). Repair it, or remove it.") from error
    if not isinstance(content, dict):
        raise VoiError(f"{file}: a JSON object from names to reviews is needed.")
    return {name: _recorded(entry, name, file) for name, entry in content.items()}


def write_reviews(reviews: Mapping[str, Recorded], file: Path) -> None:
    """Write the file whole or not at all. Raises ReportError."""
    content = {
        name: {
            "reviewer": entry.review.reviewer,
            "time": entry.review.time.isoformat(),
            "comment": entry.review.comment,
            "mask_sha256": entry.mask_sha256,
        }
        for name, entry in sorted(reviews.items())
    }
    with whole_file(file) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def accept(voi: Voi, reviewer: str, file: Path, comment: str = "", time: datetime | None = None) -> Voi:
    """Record that a person accepts a contour as it is now, and return it with that review. Raises as accept_mask."""
    return replace(voi, review=accept_mask(voi.name, mask_sha256(voi), file, Review(reviewer, time or _now(), comment)))


def accept_mask(name: str, sha256: str, file: Path, review: Review) -> Review:
    """Record a review of the contour with that checksum, in place of an earlier one.

    Raises VoiError without a reviewer, or for a time without its zone; ReportError.
    """
    if not review.reviewer.strip():
        raise VoiError(f"{name}: a review needs the name of the person who gives it.")
    if review.time.tzinfo is None:
        raise VoiError(f"{name}: the time of a review needs its time zone, as in {review.time.isoformat()}+00:00.")
    review = replace(review, reviewer=review.reviewer.strip())
    write_reviews({**read_reviews(file), name: Recorded(review, sha256)}, file)
    return review


def accept_result(provenance: Path, name: str, file: Path, reviewer: str, comment: str = "") -> Review:
    """Record a review of a contour of finished results, by the checksum that their provenance holds.

    Raises VoiError: no such record, no such volume in it, no checksums; as accept_mask.
    """
    try:
        vois = json.loads(provenance.read_text(encoding="utf-8"))["steps"]["vois"]
        known = {voi["name"]: voi.get("mask_sha256") for voi in vois}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VoiError(f"{provenance} is not the provenance of a run. Give the folder of its results.") from error
    if name not in known:
        raise VoiError(f"{provenance}: no volume is called {name!r}. It has {', '.join(known)}.")
    if not known[name]:
        raise VoiError(f"{provenance} holds no checksum of {name}: run again, then review the new results.")
    return accept_mask(name, known[name], file, Review(reviewer, _now(), comment))


def with_reviews(vois: Sequence[Voi], file: Path) -> tuple[Voi, ...]:
    """The VOIs with their reviews; one whose contour has changed since stays unreviewed and says so."""
    reviews = read_reviews(file)
    return tuple(_with_review(voi, reviews.get(voi.name)) for voi in vois)


def reviews_of_nothing(vois: Sequence[Voi], file: Path | None) -> tuple[str, ...]:
    """What to say of reviews whose VOI is not there, in order of their names."""
    if file is None:
        return ()
    names = {voi.name for voi in vois}
    return tuple(
        f"{file.name} holds a review of {name}, which is not among the volumes." for name in sorted(read_reviews(file))
        if name not in names
    )  # fmt: skip


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _with_review(voi: Voi, entry: Recorded | None) -> Voi:
    if entry is None:
        return voi
    if entry.mask_sha256 == mask_sha256(voi):
        return replace(voi, review=entry.review)
    review = entry.review
    text = (
        f"{voi.name} has changed since {review.reviewer} reviewed it on {review.time.date().isoformat()}: that review "
        "no longer holds."
    )
    return replace(voi, review=None, warnings=(*voi.warnings, text))


def _recorded(entry: Any, name: str, file: Path) -> Recorded:
    if not isinstance(entry, dict) or any(not isinstance(entry.get(key), str) for key in KEYS):
        raise VoiError(f"{file}: the review of {name} needs {', '.join(KEYS)} as texts.")
    try:
        time = datetime.fromisoformat(entry["time"])
    except ValueError as error:
        raise VoiError(f"{file}: the review of {name} has no ISO 8601 time ({entry['time']!r}).") from error
    return Recorded(Review(entry["reviewer"], time, entry["comment"]), entry["mask_sha256"])
