"""Two dose maps against each other: gamma index, and figures of voxels and organs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from RPTDosimetryLib.cli.terminal import Json, print_json, print_warnings, rows_text, shown_progress
from RPTDosimetryLib.errors import EvaluationError
from RPTDosimetryLib.records import Image, Voi

if TYPE_CHECKING:
    from RPTDosimetryLib.evaluation.cohort import CohortCase, CohortSettings

Reference = Annotated[Path, typer.Argument(metavar="REFERENCE", help="Dose [Gy]: image file or DICOM RTDOSE.")]
Evaluated = Annotated[Path, typer.Argument(metavar="EVALUATED", help="Dose [Gy] on the same grid.")]
Labels = Annotated[Path | None, typer.Option(help="Volumes: label image on the dose grid, RTSTRUCT or SEG.")]
Mask = Annotated[Path | None, typer.Option(help="Image whose voxels above 0 count, on the dose grid; all if left out.")]
Resample = Annotated[
    bool, typer.Option("--resample", help="Bring an evaluated dose on another grid to that of the reference (linear).")
]


def add_to(app: typer.Typer) -> None:
    """Register the verbs of evaluation."""
    for verb in (gamma, compare, evaluate):
        app.command()(verb)


@dataclass(frozen=True)
class _Pair:
    """Both doses on one grid, what counts of them, and what was said on the way."""

    reference: Image
    evaluated: Image
    mask: NDArray[np.bool_] | None
    vois: tuple[Voi, ...]
    said: tuple[str, ...]


def gamma(
    reference: Reference,
    evaluated: Evaluated,
    dd: Annotated[float, typer.Option(help="Dose difference, % of the reference maximum (see --local).")] = 1.0,
    dta: Annotated[float, typer.Option(help="Distance to agreement, mm.")] = 4.795,
    local: Annotated[bool, typer.Option("--local", help="Percent of each voxel's reference dose.")] = False,
    cutoff: Annotated[float, typer.Option(help="Voxels below this % of the reference maximum are not judged.")] = 10.0,
    max_gamma: Annotated[float, typer.Option(help="Search up to here; higher gammas are given as this.")] = 2.0,
    labels: Labels = None,
    mask: Mask = None,
    resample: Resample = False,
    out: Annotated[Path | None, typer.Option(help="Gamma map to write (NaN where not judged).")] = None,
    figure: Annotated[Path | None, typer.Option(help="Picture to write (PNG): gamma in three planes.")] = None,
    as_json: Json = False,
) -> None:
    """Gamma index of a dose map against a reference: pass rate overall and by volume."""
    from RPTDosimetryLib.evaluation.gamma import GammaSettings
    from RPTDosimetryLib.evaluation.gamma_answer import gamma_answer
    from RPTDosimetryLib.records import never
    from RPTDosimetryLib.report.figures import require_png
    from RPTDosimetryLib.study.image_files import require_image_name, write_image

    if out is not None:
        require_image_name(out)
    if figure is not None:
        require_png(figure)
    settings = GammaSettings(dose_percent=dd, dta_mm=dta, local=local, cutoff_percent=cutoff, maximum_gamma=max_gamma)
    pair = _read_pair((reference, evaluated), labels, mask, resample)
    with shown_progress(quiet=as_json) as progress:
        doses = (pair.reference, pair.evaluated)
        answer, result = gamma_answer(*doses, settings, pair.vois, pair.mask, (progress, never))
    answer["warnings"] = [*pair.said, *answer["warnings"]]
    answer |= {"reference": str(reference), "evaluated": str(evaluated), "out": out and str(out)}
    answer["figure"] = figure and str(figure)
    if out is not None:
        write_image(result.gamma_index, out, "gamma index, NaN where not judged")
    if figure is not None:
        from RPTDosimetryLib.report.gamma_figure import save_gamma_figure

        save_gamma_figure(result, pair.reference, pair.vois, figure)
    if as_json:
        print_json(answer)
        return
    print_warnings(answer["warnings"])
    print(_gamma_text(answer))


def compare(
    reference: Reference,
    evaluated: Evaluated,
    labels: Labels = None,
    density: Annotated[Path | None, typer.Option(help="g/cm3; organ means are then weighted by mass.")] = None,
    mask: Mask = None,
    resample: Resample = False,
    out: Annotated[Path | None, typer.Option(help="Folder for comparison.json and figures.")] = None,
    as_json: Json = False,
) -> None:
    """Errors of a dose map against a reference: RMSE, MAE, ME, SSIM, PSNR, relative errors, correlation, organs."""
    from RPTDosimetryLib.evaluation.compare_answer import compare_doses
    from RPTDosimetryLib.study.image_files import read_image

    pair = _read_pair((reference, evaluated), labels, mask, resample)
    weights = read_image(density, "g/cm3") if density else None
    comparison = compare_doses(pair.reference, pair.evaluated, pair.vois, weights, pair.mask)
    answer = comparison.answer()
    answer["warnings"] = [*pair.said, *answer["warnings"]]
    answer |= {"reference": str(reference), "evaluated": str(evaluated), "out": out and str(out)}
    if out is not None:
        from RPTDosimetryLib.report.compare_figures import write_comparison

        write_comparison(answer, (pair.reference, pair.evaluated, pair.mask), pair.vois, comparison.organs, out)
    if as_json:
        print_json(answer)
        return
    print_warnings(answer["warnings"])
    print(_compare_text(answer))


def evaluate(
    cohort: Annotated[
        Path, typer.Argument(metavar="COHORT", help="List of cases, TOML or JSON (see the manual); or a data set.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for tables (CSV, JSON) and figures.")] = None,
    drawn: Annotated[str | None, typer.Option(help="Patient whose maps are drawn; the first if left out.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Of a data set: models to judge, again for each; default if left out.")
    ] = None,
    split: Annotated[str, typer.Option(help="Of a data set: test, validation or train.")] = "test",
    unguarded: Annotated[
        bool, typer.Option("--unguarded", help="Of a data set: also what a model's guard would withhold.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Several methods against one reference over many patients: both papers' tables, paired tests, figures."""
    from RPTDosimetryLib.evaluation.cohort import cohort_of
    from RPTDosimetryLib.evaluation.cohort_tables import cohort_tables
    from RPTDosimetryLib.files import require_folder
    from RPTDosimetryLib.records import never
    from RPTDosimetryLib.report.cohort_folder import evaluate_into

    listed = _data_set(cohort, model, split, unguarded) if cohort.is_dir() else _listed(cohort)
    if drawn is not None and drawn not in listed.patients:
        raise EvaluationError(f"{cohort} lists no patient {drawn}: nothing of them can be drawn.")
    if out is not None:
        require_folder(out)
    with shown_progress(quiet=as_json) as progress:
        if out is None:
            found = cohort_of(listed.cases, listed.settings, progress, expected=len(listed.patients))
        else:
            watch = (progress, never)
            found = evaluate_into(out, listed.cases, listed.settings, drawn, watch, len(listed.patients))
    answer = {**found.answer(), "cohort": str(cohort), "out": out and str(out)}
    if as_json:
        print_json(answer)
        return
    print_warnings(answer["warnings"])
    print(f"Cases: {answer['cases']}, patients: {answer['patients']}; evaluated - reference, {_criterion(answer)}\n")
    print(cohort_tables(found))


@dataclass(frozen=True)
class _Listed:
    """The patients of a cohort, one entry a case; the cases as they are read; how they are compared."""

    patients: tuple[str, ...]
    cases: Iterator[CohortCase]
    settings: CohortSettings


def _listed(cohort: Path) -> _Listed:
    from RPTDosimetryLib.evaluation.cohort_file import cases_of, read_cohort

    read = read_cohort(cohort)
    return _Listed(tuple(case.patient for case in read.cases), cases_of(read), read.settings())


def _data_set(cohort: Path, models: list[str] | None, split: str, unguarded: bool) -> _Listed:
    from RPTDosimetryLib.evaluation.cohort import CohortSettings
    from RPTDosimetryLib.learning.data_set_cases import DataSetChoice, cases_of_data_set

    choice = DataSetChoice(cohort, split, tuple(models or ["default"]), unguarded)
    folders = choice.patients()
    return _Listed(tuple(path.name for path in folders), cases_of_data_set(choice, folders), CohortSettings())


def _criterion(answer: dict[str, Any]) -> str:
    s, dta_mm = answer["settings"], sorted({row["dta_mm"] for row in answer["case_rows"]})
    told = " to ".join(f"{mm:.4g}" for mm in (dta_mm if len(dta_mm) == 1 else (dta_mm[0], dta_mm[-1])))
    return f"gamma {s['dose_percent']:g} % global / {told} mm, cut-off {s['cutoff_percent']:g} %"


def _read_pair(doses: tuple[Path, Path], labels: Path | None, mask: Path | None, resample: bool) -> _Pair:
    from RPTDosimetryLib.evaluation.comparable import onto_reference
    from RPTDosimetryLib.grid import require_same_grid
    from RPTDosimetryLib.study.image_files import read_image
    from RPTDosimetryLib.study.read_dose import read_dose
    from RPTDosimetryLib.vois.from_file import vois_from_file

    reference, evaluated = (read_dose(path) for path in doses)
    counted, said, covered = None, "", np.ones(reference.grid.shape_zyx, dtype=bool)
    if mask is not None:
        image = read_image(mask, "1")
        require_same_grid(reference.grid, image.grid, "The reference dose and the mask")
        counted = image.voxels > 0
    if resample:
        moved = onto_reference(reference, evaluated)
        evaluated, said, covered = moved.evaluated, moved.said, moved.covered
        if not covered.all():
            counted = covered if counted is None else counted & covered
    else:
        require_same_grid(reference.grid, evaluated.grid, "Reference and evaluated dose (--resample does it)")
    vois = vois_from_file(labels, reference.grid) if labels else ()
    for voi in vois:
        if not covered[voi.mask].all():
            raise EvaluationError(
                f"The evaluated dose does not reach all of {voi.name}: its figures would be those of a part. Leave it "
                "out of the labels."
            )
    return _Pair(reference, evaluated, counted, vois, (said,) if said else ())


def _gamma_text(answer: dict[str, Any]) -> str:
    s = answer["settings"]
    criterion = f"{s['dose_percent']:g} % {'local' if s['local'] else 'global'} / {s['dta_mm']:g} mm"
    head = (
        f"Gamma {criterion}, normalised to {s['normalisation_gy']:.4g} Gy ({s['normalisation']}), cut-off "
        f"{s['cutoff_percent']:g} % ({s['cutoff_gy']:.4g} Gy), {s['counted']}\n"
    )
    rows = [{"name": "all", **answer}, *answer["volumes"]]
    flat = [{**row, "all_voxels_pass_percent": row["all_voxels"]["pass_rate_percent"]} for row in rows]
    columns = ("name", "voxels", "judged", "passed", "pass_rate_percent", "mean_gamma", "highest_gamma")
    return head + rows_text((*columns, "all_voxels_pass_percent"), flat)


def _compare_text(answer: dict[str, Any]) -> str:
    lines = [f"Evaluated - reference over {answer['counted']}"]
    figures = [{"figure": name, "value": value} for name, value in answer["metrics"].items()]
    lines.append(rows_text(("figure", "value"), figures))
    lines.extend(f"{name}: {text}" for name, text in answer["conventions"].items())
    if answer["volumes"]:
        lines.append(f"\nVolumes, means weighted by {answer['mean_weighting']}")
        columns: tuple[str, ...] = (
            "name",
            "volume_ml",
            "reference_mean_gy",
            "evaluated_mean_gy",
            "error_gy",
            "error_percent",
        )
        columns = (*columns, "d98_error_percent", "d50_error_percent", "d2_error_percent")
        lines.append(rows_text(columns, answer["volumes"]))
        lines.append(f"\nVoxels of each volume, and its histogram\n{_voxels_of_volumes(answer['volumes'])}\n")
        over = answer["over_volumes"]
        lines.append(
            f"Mean over {over['volumes']} volumes: error {_of(over['mean_error_percent'])} %, "
            f"absolute error {_of(over['mean_absolute_error_percent'])} %"
        )
        for limits in (over["bland_altman_gy"], over["bland_altman_percent"]):
            if limits:
                lines.append(
                    f"Bland-Altman [{limits['unit']}]: mean {limits['mean_difference']:.4g}, limits of agreement "
                    f"{limits['lower_limit']:.4g} to {limits['upper_limit']:.4g}"
                )
    return "\n".join([*lines, *answer["notes"]])


def _voxels_of_volumes(volumes: list[dict[str, Any]]) -> str:
    of_voxels = ("mae_gy", "mape_percent", "correlation", "slope_origin", "slope_orthogonal")
    of_histogram = ("dvh_r2", "reference_homogeneity_index", "evaluated_homogeneity_index")
    rows = [{**row, **{name: row["metrics"][name] for name in of_voxels}} for row in volumes]
    return rows_text(("name", *of_voxels, *of_histogram), rows)


def _of(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
