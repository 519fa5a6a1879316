"""Single steps on plain image files, each with one machine-readable answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from RPTDosimetryLib.cli import hybrid_options
from RPTDosimetryLib.cli import monte_carlo_options as mc
from RPTDosimetryLib.cli.terminal import Json, print_json, print_warnings, rows_text, shown_progress
from RPTDosimetryLib.dose.engine import engine_names
from RPTDosimetryLib.dose.hybrid_settings import HybridSettings
from RPTDosimetryLib.dose.monte_carlo_settings import MonteCarloSettings
from RPTDosimetryLib.tia.registry import model_names

Nuclide = Annotated[str, typer.Option(help="For example Lu-177, Tb-161, Y-90, I-131.")]
HuIn = Annotated[Path | None, typer.Option(help="CT in HU: NRRD, NIfTI or MHD, on any grid.")]
DensityIn = Annotated[Path | None, typer.Option(help="Density, g/cm3: NRRD, NIfTI or MHD, on any grid.")]


def add_to(app: typer.Typer) -> None:
    """Register the single-step verbs."""
    for verb in (inspect, kernels, curve, dose, dvh):
        app.command()(verb)


def inspect(
    study: Annotated[Path, typer.Argument(help="Folder with the SPECT/CT files.")],
    config: Annotated[Path | None, typer.Option(help="TOML whose section study gives what the files lack.")] = None,
    as_json: Json = False,
) -> None:
    """What a study folder holds, and what is missing."""
    from RPTDosimetryLib.configuration import read_settings
    from RPTDosimetryLib.study.inspect import inspect_study, inspect_table
    from RPTDosimetryLib.study.read_study import read_study

    found = read_study(study, read_settings(config).study)
    if as_json:
        print_json(inspect_study(found))
    else:
        print(inspect_table(found))


def kernels(
    nuclide: Nuclide,
    material: Annotated[str, typer.Option(help="For example water, soft_tissue, lung, schneider_bone3.")],
    voxel_mm: Annotated[tuple[float, float, float], typer.Option(help="Voxel size along x, y, z, mm.")],
    density: Annotated[float | None, typer.Option(help="g/cm3; the material's own when left out.")] = None,
    extent: Annotated[int, typer.Option(help="Highest voxel index to give, in each direction.", min=0, max=60)] = 5,
    as_json: Json = False,
) -> None:
    """Voxel S values of a nuclide in a medium, by our own Monte Carlo, with standard errors."""
    from RPTDosimetryLib.transport.kernel_answer import kernel_answer
    from RPTDosimetryLib.transport.point_kernel_library import WHILE, is_at_hand, point_kernel

    if not is_at_hand(nuclide, material):
        print_warnings([f"The point kernel of {nuclide} in {material} is neither shipped nor kept: {WHILE}."])
    with shown_progress(quiet=as_json) as progress:
        answer = kernel_answer(point_kernel(nuclide, material, progress=progress), density, voxel_mm, extent)
    if as_json:
        print_json(answer)
        return
    print(f"{answer['nuclide']} in {answer['medium']}, voxel {answer['voxel_mm']} mm, S in {answer['unit']}")
    print(rows_text(("ijk", "S", "se", "S_electron", "S_photon"), answer["kernel"]))


def curve(
    curve_file: Annotated[Path, typer.Argument(metavar="CURVE.json", help='{"time_h", "activity_mbq", "nuclide"}')],
    model: Annotated[str, typer.Option(help=f"auto, or one of: {', '.join(model_names())}.")] = "auto",
    weighting: Annotated[str, typer.Option(help="none, poisson, relative or standard_error.")] = "none",
    tail: Annotated[str, typer.Option(help="Of the trapezoid: physical, last_two_points or voi_lambda.")] = "physical",
    population_half_life_h: Annotated[float | None, typer.Option(help="Effective half-life that madsen takes.")] = None,
    scan_time_h: Annotated[float | None, typer.Option(help="The scan that a single-time-point model uses.")] = None,
    kind: Annotated[str, typer.Option(help="organ, lesion or region: whose default model auto takes.")] = "organ",
    bootstrap: Annotated[int, typer.Option(help="Replicates of a bootstrap of the integral; 0 for none.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 1,
    as_json: Json = False,
) -> None:
    """Time-integrated activity of one curve, with what fewer scans would have given beside it."""
    from RPTDosimetryLib.tia.bootstrap import BootstrapSettings
    from RPTDosimetryLib.tia.curve_file import curve_answer, curve_table, read_curve
    from RPTDosimetryLib.tia.settings import FitSettings, voi_kind

    settings = FitSettings(
        weighting=weighting,  # type: ignore[arg-type]  # FitSettings refuses other words itself
        tail=tail,  # type: ignore[arg-type]
        population_half_life_h=population_half_life_h,
        scan_time_h=scan_time_h,
    )
    how = BootstrapSettings(replicates=bootstrap, seed=seed) if bootstrap else None
    answer = curve_answer(read_curve(curve_file), model, settings, voi_kind(kind), how)
    if as_json:
        print_json(answer)
    else:
        print(curve_table(answer))


def dose(
    tia: Annotated[Path, typer.Option(help="Time-integrated activity, Bq·s per voxel; its grid is the dose grid.")],
    out: Annotated[Path, typer.Option(help="Dose map to write [Gy].")],
    engine: Annotated[str, typer.Option(help=f"One of: {', '.join(engine_names())}.")] = "msv8",
    nuclide: Nuclide = "Lu-177",
    hu: HuIn = None,
    density: DensityIn = None,
    material: Annotated[Path | None, typer.Option(help="Medium labels on the TIA's grid.")] = None,
    materials_json: Annotated[Path | None, typer.Option(help="What the labels are made of.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Volumes on the dose grid (label image, RTSTRUCT, SEG): their mean doses.")
    ] = None,
    msv_unscaled: Annotated[bool, typer.Option(help="The plain MSV form, without density scaling.")] = False,
    out_se: Annotated[
        Path | None, typer.Option(help="Map of the standard error to write [Gy].", rich_help_panel=mc.PANEL)
    ] = None,
    histories: mc.Histories = None,
    target_se: mc.TargetSe = None,
    target_volume: mc.TargetVolume = None,
    media: mc.Media = None,
    photon_share: mc.PhotonShare = None,
    flattening: mc.Flattening = None,
    refine: mc.Refine = None,
    seed: mc.Seed = None,
    device: mc.Device = None,
    checkpoint: mc.Checkpoint = None,
    model: hybrid_options.Model = None,
    when_outside: hybrid_options.WhenOutside = None,
    out_maps: hybrid_options.OutMaps = None,
    as_json: Json = False,
) -> None:
    """A dose map from maps, no study needed."""
    from RPTDosimetryLib.dose.engine import DoseSettings
    from RPTDosimetryLib.dose.from_maps import DoseRequest, PatientFiles, dose_from_maps

    monte_carlo = mc.with_options(
        MonteCarloSettings(), histories=histories, target_se=target_se, target_volumes=target_volume, media=media,
        photon_share=photon_share, flattening=flattening, refine=refine, seed=seed,
        device=device if engine != "hybrid" else None, checkpoint=checkpoint,
    )  # fmt: skip
    mc.require_engine(engine, monte_carlo)
    hybrid = hybrid_options.with_options(HybridSettings(), engine, model, when_outside, device)
    settings = DoseSettings(engine=engine, msv_unscaled=msv_unscaled, monte_carlo=monte_carlo, hybrid=hybrid)
    files = PatientFiles(hu, density, material, materials_json)
    request = DoseRequest(tia, files, nuclide, settings, labels, out_se, out_maps)
    with shown_progress(quiet=as_json) as progress:
        answer = dose_from_maps(request, out, progress)
    if as_json:
        print_json(answer)
        return
    print_warnings(answer["warnings"])
    print(f"{answer['out']}: {answer['method']} Highest dose {answer['max_gy']:.4g} Gy.")
    if answer["volumes"]:
        print(rows_text(("name", "mean_gy", "mean_se_gy"), answer["volumes"]))


def dvh(
    dose_map: Annotated[Path, typer.Argument(metavar="DOSE", help="RTDOSE, or an image file in Gy.")],
    labels: Annotated[Path, typer.Option(help="Label map on the dose grid (0 is background), RTSTRUCT or SEG.")],
    density: Annotated[Path | None, typer.Option(help="g/cm3; means are then weighted by mass.")] = None,
    as_json: Json = False,
) -> None:
    """Dose-volume histogram and dose figures of each label or structure."""
    from RPTDosimetryLib.evaluation.organ_table import dvh_answer
    from RPTDosimetryLib.study.image_files import is_image_file, read_image
    from RPTDosimetryLib.study.read_dose import read_dose
    from RPTDosimetryLib.vois.from_file import vois_from_file
    from RPTDosimetryLib.vois.label_names import label_names_in

    gy = read_dose(dose_map)
    by_image = is_image_file(labels)
    volumes = read_image(labels, "1") if by_image else vois_from_file(labels, gy.grid)
    names = label_names_in(labels) if by_image else None
    answer = dvh_answer(gy, volumes, read_image(density, "g/cm3") if density else None, names)
    if as_json:
        print_json(answer)
    else:
        print_warnings(answer["warnings"])
        print(f"Dose in {answer['unit']}, means weighted by {answer['mean_weighting']}")
        columns = ("name", "volume_ml", "mass_g", "mean_gy", "mean_plain_gy", "d98_gy", "d50_gy", "d2_gy", "maximum_gy")
        print(rows_text(columns, answer["volumes"]))
