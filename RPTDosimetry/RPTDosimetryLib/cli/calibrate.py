"""Verbs of calibration: counts to Bq/mL, a phantom to a factor, and the library of cameras."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from RPTDosimetryLib.cli.terminal import Json, print_json, print_warnings, rows_text, shown_progress
from RPTDosimetryLib.units import BQ_PER_MBQ, S_PER_H

if TYPE_CHECKING:
    from RPTDosimetryLib.calibration.phantom import PhantomCalibration
    from RPTDosimetryLib.records import Study

_UNTOLD = "not told"


def add_to(app: typer.Typer) -> None:
    """Register calibrate, phantom and the cameras group."""
    app.command()(calibrate)
    app.command()(phantom)
    app.add_typer(_cameras(), name="cameras")


def calibrate(
    study: Annotated[Path, typer.Argument(help="Folder with the SPECT/CT files, in counts or Bq/mL.")],
    out: Annotated[Path, typer.Option(help="Folder for the images in Bq/mL and their study.json.")],
    config: Annotated[Path | None, typer.Option(help="TOML with the sections study, calibration and beds.")] = None,
    camera: Annotated[
        str | None, typer.Option(help="A camera of the library, in place of that of the configuration.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Counts to Bq/mL at acquisition start, beds of a visit joined; the check against A0·e^(-λt)."""
    from RPTDosimetryLib.configuration import read_settings
    from RPTDosimetryLib.pipeline import quantify
    from RPTDosimetryLib.study.write_study import write_study

    settings = read_settings(config)
    if camera is not None:
        settings = replace(settings, calibration=replace(settings.calibration, camera=camera))
    with shown_progress(quiet=as_json) as progress:
        found = quantify(study, settings, progress)
        left_behind = write_study(found.study, out)
        progress(1.0, "Written")
    rows, cut = found.totals, found.cut
    warnings = _said(found.study, (*cut.warnings, *left_behind))
    if as_json:
        print_json({"out": out, "time_points": rows, "notes": cut.notes, "warnings": warnings})
        return
    print_warnings(warnings)
    print(rows_text(("point", "time [h]", "before", "total [MBq]", "A0·e^-λt [MBq]", "ratio"), map(_shown, rows)))
    for row in rows:
        print(f"Time point {row.number}: {row.calibration}")
    print(f"Images and study.json: {out}")


def _said(study: Study, more: tuple[str, ...]) -> tuple[str, ...]:
    """Each warning of a study once, then ``more``."""
    of_points = (warning for point in study.time_points for warning in point.warnings)
    return tuple(dict.fromkeys((*study.warnings, *of_points, *more)))


def phantom(
    scan: Annotated[Path, typer.Argument(help="SPECT of the phantom: DICOM file or folder, NRRD, NIfTI or MHD.")],
    filling: Annotated[
        Path, typer.Option(help="TOML that says what was filled in and when; see docs/manual/calibration.md.")
    ],
    save_as: Annotated[str | None, typer.Option(help="Keep the result in the library under this name.")] = None,
    collimator: Annotated[str, typer.Option(help="Kept with the camera.")] = _UNTOLD,
    window: Annotated[str, typer.Option(help="Energy window, kept with the camera.")] = _UNTOLD,
    source: Annotated[str, typer.Option(help="Who measured, reconstruction; kept with the camera.")] = _UNTOLD,
    overwrite: Annotated[bool, typer.Option("--replace", help="A camera of that name is replaced.")] = False,
    as_json: Json = False,
) -> None:
    """Calibration factor (cps/Bq) and recovery curve from the scan of a phantom."""
    from RPTDosimetryLib.calibration.camera_library import add_camera
    from RPTDosimetryLib.calibration.phantom import calibrate_phantom
    from RPTDosimetryLib.calibration.phantom_file import read_filling, read_phantom_scan

    told = read_filling(filling)
    found = calibrate_phantom(read_phantom_scan(scan, told), told)
    kept = None
    if save_as is not None:
        kept = add_camera(found.camera(save_as, collimator, window, source), overwrite)
    if as_json:
        print_json(found.answer() | {"unit": "cps/Bq", "saved": kept})
        return
    print_warnings(found.notes)
    print(_phantom_text(found))
    if kept is not None:
        print(f"Kept as camera {save_as} in {kept}")


def _phantom_text(found: PhantomCalibration) -> str:
    factor, relative = found.factor_cps_per_bq, found.factor_relative_se
    lines = []
    if factor is not None:
        se = "uncertainty of the activity not stated" if relative is None else f"± {relative:.1%}"
        lines.append(f"Calibration factor {factor:.6g} cps/Bq = {factor * BQ_PER_MBQ:.4g} cps/MBq ({se})")
    if found.spheres:
        head = ("diameter_mm", "volume_ml", "recovery_coefficient")
        lines.append(rows_text(head, [vars(sphere) for sphere in found.spheres]))
    if found.curve is not None:
        lines.append(f"RC(V) = 1/(1 + (V50/V)^β), V50 = {found.curve.v50_ml:.4g} mL, β = {found.curve.beta:.4g}")
    return "\n".join(lines)


def _shown(row: Any) -> dict[str, Any]:
    """A row of calibrated_totals for people."""
    before = f"{row.before:.5g} {row.before_unit}"
    if row.before_unit == "Bq":
        before = f"{row.before / BQ_PER_MBQ:.5g} MBq"
    return {
        "point": row.number,
        "time [h]": None if row.time_s is None else row.time_s / S_PER_H,
        "before": before,
        "total [MBq]": row.total_activity_bq / BQ_PER_MBQ,
        "A0·e^-λt [MBq]": None if row.expected_bq is None else row.expected_bq / BQ_PER_MBQ,
        "ratio": row.ratio,
    }


def _cameras() -> typer.Typer:
    group = typer.Typer(help="The library of calibrated cameras in your configuration folder.", no_args_is_help=True)
    group.command("list")(list_cameras)
    group.command("show")(show_camera)
    group.command("add")(add)
    group.command("remove")(remove)
    return group


def list_cameras(as_json: Json = False) -> None:
    """Names, nuclides and factors (cps/Bq) of all cameras."""
    from RPTDosimetryLib.calibration.camera_library import camera, camera_names

    cameras = [camera(name) for name in camera_names()]
    if as_json:
        print_json({"cameras": cameras})
    elif cameras:
        columns = ("name", "nuclide", "factor_cps_per_bq", "calibrated", "collimator", "window")
        print(rows_text(columns, [vars(known) for known in cameras]))
    else:
        print("No camera yet: `rptdosimetry phantom … --save-as NAME` or `rptdosimetry cameras add FILE`.")


def show_camera(
    name: Annotated[str, typer.Argument(help="As `cameras list` shows it.")], as_json: Json = False
) -> None:
    """Everything known of one camera."""
    from RPTDosimetryLib.calibration.camera_library import camera, camera_text

    known = camera(name)
    if as_json:
        print_json({"camera": known, "recovery_curve": known.recovery_curve()})
    else:
        print(camera_text(known))


def add(
    file: Annotated[Path, typer.Argument(help="JSON as `cameras show` prints it.")],
    overwrite: Annotated[bool, typer.Option("--replace", help="A camera of that name is replaced.")] = False,
    as_json: Json = False,
) -> None:
    """Add a camera from a JSON file."""
    from RPTDosimetryLib.calibration.camera_library import add_camera, read_camera

    new = read_camera(file)
    kept = add_camera(new, overwrite)
    if as_json:
        print_json({"added": new.name, "file": kept})
    else:
        print(f"Camera {new.name} kept in {kept}")


def remove(name: Annotated[str, typer.Argument(help="As `cameras list` shows it.")], as_json: Json = False) -> None:
    """Remove a camera from the library."""
    from RPTDosimetryLib.calibration.camera_library import remove_camera

    remove_camera(name)
    if as_json:
        print_json({"removed": name})
    else:
        print(f"Camera {name} removed")
