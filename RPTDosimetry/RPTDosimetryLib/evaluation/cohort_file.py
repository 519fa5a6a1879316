"""The list of a cohort's cases as a small TOML or JSON file names them, read one case at a time."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import DosimetryError, EvaluationError
from RPTDosimetryLib.evaluation.cohort import CohortCase, CohortSettings
from RPTDosimetryLib.evaluation.comparable import onto_reference
from RPTDosimetryLib.grid import Grid, require_same_grid
from RPTDosimetryLib.records import Image, Voi
from RPTDosimetryLib.study.image_files import read_image
from RPTDosimetryLib.study.read_dose import read_dose
from RPTDosimetryLib.vois.delineate import kind_of
from RPTDosimetryLib.vois.from_file import vois_from_file

_STRICT = {"extra": "forbid"}


@dataclass(frozen=True)
class CaseFiles:
    """Files of one case; relative paths are below the list's own folder.

    reference, evaluated: doses [Gy], RTDOSE or image files. labels: volumes of interest (label image, RTSTRUCT, SEG);
    names: their names by label, where the image has none; lesions: names that are lesions, beside those that their name
    tells. masks: more named sets of voxels, from images whose voxels above 0 count. density [g/cm3] weights means.
    mask: image of the voxels of overall figures. seconds: computing time of each method.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    patient: str
    reference: Path
    evaluated: dict[str, Path]
    cycle: str = ""
    labels: Path | None = None
    names: dict[int, str] = field(default_factory=dict)
    lesions: tuple[str, ...] = ()
    density: Path | None = None
    mask: Path | None = None
    masks: dict[str, Path] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def files(self) -> Iterator[Path]:
        """Every file that is read."""
        yield from (self.reference, *self.evaluated.values(), *self.masks.values())
        yield from (path for path in (self.labels, self.density, self.mask) if path is not None)


@dataclass(frozen=True)
class CohortFile:
    """A cohort: its cases, the gamma criterion (dta_mm left out: one voxel), groups of volumes by name.

    resample: an evaluated dose on another grid is brought onto the reference's, linear; otherwise it is refused.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    cases: tuple[CaseFiles, ...]
    dose_percent: float = 1.0
    dta_mm: float | None = None
    cutoff_percent: float = 10.0
    groups: dict[str, str] = field(default_factory=dict)
    resample: bool = False

    def settings(self) -> CohortSettings:
        """As cohort_of takes them."""
        return CohortSettings(self.dose_percent, self.dta_mm, self.cutoff_percent, self.groups)


def read_cohort(path: Path) -> CohortFile:
    """The list from its file, every path checked. Raises EvaluationError that names the key or the missing files."""
    from pydantic import TypeAdapter, ValidationError

    try:
        table = _parsed(path)
        cohort: CohortFile = TypeAdapter(CohortFile).validate_python(table)
    except OSError as error:
        raise EvaluationError(f"{path} cannot be read ({error.strerror}). Give the list of the cohort.") from error
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path} is not valid {path.suffix.lstrip('.').upper()}: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise EvaluationError(f"{path}: {key}: {first['msg']}.") from error
    if not cohort.cases:
        raise EvaluationError(f"{path} lists no case: name at least one reference with an evaluated dose.")
    cohort = replace(cohort, cases=tuple(_below(case, path.parent) for case in cohort.cases))
    missing = [str(file) for case in cohort.cases for file in case.files() if not file.is_file()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise EvaluationError(f"{path} names files that are not there: {', '.join(missing[:3])}{more}.")
    return cohort


def cases_of(cohort: CohortFile) -> Iterator[CohortCase]:
    """Each case read when its turn comes; what resampling left out stands in its warnings.

    Raises what reading raises and GridMismatchError, with the patient before it.
    """
    for files in cohort.cases:
        label = f"{files.patient}, {files.cycle}" if files.cycle else files.patient
        try:
            case = _read(files, cohort.resample)
        except DosimetryError as error:
            raise type(error)(f"{label}: {error}") from error
        yield case
        del case  # not kept while the next one is read


def _parsed(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    if path.suffix.lower() == ".toml":
        return tomllib.loads(text)
    if path.suffix.lower() == ".json":
        return json.loads(text)
    raise EvaluationError(f"{path}: the list of a cohort is a .toml or a .json file.")


def _below(case: CaseFiles, folder: Path) -> CaseFiles:
    def at(path: Path | None) -> Path | None:
        return None if path is None else folder / path

    def each(paths: Mapping[str, Path]) -> dict[str, Path]:
        return {name: folder / path for name, path in paths.items()}

    return replace(
        case,
        reference=folder / case.reference,
        evaluated=each(case.evaluated),
        masks=each(case.masks),
        labels=at(case.labels),
        density=at(case.density),
        mask=at(case.mask),
    )


def _read(files: CaseFiles, resample: bool) -> CohortCase:
    reference = read_dose(files.reference)
    grid, evaluated, said = reference.grid, {}, []
    mask = None if files.mask is None else _voxels_of(files.mask, grid)
    vois = (*_volumes(files, grid), *(_named(name, path, grid) for name, path in files.masks.items()))
    for name, path in files.evaluated.items():
        dose = read_dose(path)
        if resample and not dose.grid.same_as(grid):
            moved = onto_reference(reference, dose)
            said.append(f"{name}: {moved.said}")
            _require_reached(name, vois, moved.covered)
            if not moved.covered.all():
                mask = moved.covered if mask is None else mask & moved.covered
            dose = moved.evaluated
        else:
            require_same_grid(grid, dose.grid, f"Reference and {name} (resample = true brings them onto one)")
        evaluated[name] = dose
    return CohortCase(
        patient=files.patient,
        reference=reference,
        evaluated=evaluated,
        vois=vois,
        density=None if files.density is None else read_image(files.density, "g/cm3"),
        seconds=files.seconds,
        cycle=files.cycle,
        mask=mask,
        warnings=tuple(said),
    )


def _volumes(files: CaseFiles, grid: Grid) -> Iterator[Voi]:
    """The labels' volumes, by the names that the list gives them."""
    for voi in () if files.labels is None else vois_from_file(files.labels, grid):
        number = voi.name.removeprefix("label ")
        name = files.names.get(int(number), voi.name) if number.isdecimal() else voi.name
        lesion = name in files.lesions or voi.kind == "lesion" or kind_of(name) == "lesion"
        yield replace(voi, name=name, kind="lesion" if lesion else voi.kind)


def _named(name: str, path: Path, grid: Grid) -> Voi:
    return Voi(name, _voxels_of(path, grid), grid, "region", path.name)


def _voxels_of(path: Path, grid: Grid) -> NDArray[np.bool_]:
    image: Image = read_image(path, "1")
    require_same_grid(grid, image.grid, f"The reference dose and {path.name}")
    return np.asarray(image.voxels > 0)


def _require_reached(method: str, vois: tuple[Voi, ...], covered: NDArray[np.bool_]) -> None:
    for voi in vois:
        if not covered[voi.mask].all():
            raise EvaluationError(
                f"{method} does not reach all of {voi.name}: its figures would be those of a part. Leave it out."
            )
