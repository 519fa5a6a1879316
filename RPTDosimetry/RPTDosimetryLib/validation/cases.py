"""The list of reference cases; each lives in its own file and reads its own reference data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from RPTDosimetryLib.errors import ConfigurationError
from RPTDosimetryLib.records import Progress, silent
from RPTDosimetryLib.validation.decay_cases import decay_rows
from RPTDosimetryLib.validation.effect_cases import air_rows, effect_rows
from RPTDosimetryLib.validation.gamma_cases import gamma_rows
from RPTDosimetryLib.validation.kernel_cases import kernel_rows, sphere_rows
from RPTDosimetryLib.validation.kinetics_cases import kinetics_rows
from RPTDosimetryLib.validation.monte_carlo_case import monte_carlo_rows
from RPTDosimetryLib.validation.published_kernel_cases import published_kernel_rows
from RPTDosimetryLib.validation.row import ValidationRow
from RPTDosimetryLib.validation.rtdose_cases import rtdose_rows
from RPTDosimetryLib.validation.scan_cases import scan_rows
from RPTDosimetryLib.validation.stopping_power_cases import stopping_power_rows
from RPTDosimetryLib.validation.torso_case import torso_rows


@dataclass(frozen=True)
class Case:
    """One topic: its name, what is compared with what, and the function that gives its rows from the shared folder."""

    name: str
    about: str
    rows: Callable[[Path], list[ValidationRow]]


@dataclass(frozen=True)
class Compared:
    """A topic with its rows."""

    case: Case
    rows: tuple[ValidationRow, ...]


CASES: tuple[Case, ...] = (
    Case(
        "decay data",
        "Mean energies per decay from evaluated decay data (DDEP) and computed β spectra, against ICRP 107.",
        decay_rows,
    ),
    Case(
        "electrons in water",
        "Stopping powers and ranges that the transport uses, computed from the Bethe formula.",
        stopping_power_rows,
    ),
    Case(
        "activity of real scans",
        "Total activity of a real patient's scan, once stored as PT and decay-corrected to the administration, once as "
        "NM frames.",
        scan_rows,
    ),
    Case(
        "time-integrated activity",
        "Real organ curves fitted without weights, against another program's fit of the same model.",
        kinetics_rows,
    ),
    Case(
        "voxel S kernels",
        "Kernels from this program's own Monte Carlo, against EGSnrc: the self voxel, the face neighbour, and of all "
        "other voxels the one in the middle of the differences and the worst, whose bar is meant beyond two joint "
        "standard errors. Energy that is emitted must come to rest in some voxel.",
        kernel_rows,
    ),
    Case("self voxels as published", "The voxel's dose to itself, against printed tables.", published_kernel_rows),
    Case("sphere S values", "Uniform spheres of soft tissue, from the same point kernels.", sphere_rows),
    Case(
        "AM torso",
        "Mean dose of the regions of the ICRP-110 male torso from its CT numbers by engines msv8 and msv20, against a "
        "full Monte Carlo (EGSnrc). Lungs, cortical bone and regions far from the activity show the limits of kernels "
        "made in uniform media; they have no bar.",
        lambda shared: [*torso_rows(shared, "msv8"), *torso_rows(shared, "msv20")],
    ),
    Case(
        "AM torso, Monte Carlo",
        "The same by engine monte_carlo (1e7 decays, photons of half as many), once from the phantom's density and "
        "media and once from its CT numbers; the part that photons started apart. Bars are meant beyond two joint "
        "standard errors.",
        monte_carlo_rows,
    ),
    Case(
        "biologically effective dose",
        "BED of a kidney with its own fitted kinetics; the parameters (α/β, repair) are taken from literature.",
        effect_rows,
    ),
    Case(
        "photons in air",
        "What the dose rate at 1 m rests on: energy transfer in air from this program's own cross sections.",
        air_rows,
    ),
    Case("gamma index", "A dose shifted by the criterion, where γ can be written down.", gamma_rows),
    Case("RT Dose files", "A dose map written as DICOM RT Dose and read by another program.", rtdose_rows),
)


def compare(shared: Path, progress: Progress = silent) -> tuple[Compared, ...]:
    """Every reference case under ``shared`` (reference/*.json, data/). Raises ConfigurationError if it is not there."""
    if not (shared / "reference").is_dir():
        raise ConfigurationError(f"{shared} has no folder reference/: give that of the reference cases (--shared).")
    done: list[Compared] = []
    for case in CASES:
        progress(len(done) / len(CASES), f"Comparing {case.name}")
        done.append(Compared(case, tuple(case.rows(shared))))
    progress(1.0, "All cases compared")
    return tuple(done)


def validate(shared: Path, progress: Progress = silent) -> list[ValidationRow]:
    """The rows of all cases in one list."""
    return [row for topic in compare(shared, progress) for row in topic.rows]
