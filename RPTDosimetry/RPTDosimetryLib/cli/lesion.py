"""The verbs on lesions and reviews: draw one on an image, accept a contour."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from RPTDosimetryLib.cli.terminal import Json, print_json, print_warnings
from RPTDosimetryLib.vois.lesion_tools import METHODS

Seed = tuple[float, float, float]
Box = tuple[float, float, float, float, float, float]


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    for verb in (lesion, review):
        app.command()(verb)


def lesion(
    spect: Annotated[Path, typer.Argument(help="Activity concentration, Bq/mL (NRRD, NIfTI or MHD).")],
    out: Annotated[Path, typer.Option(help="Mask to write (1 inside), on the image's grid.")],
    seed: Annotated[Seed | None, typer.Option(help="x y z of a point in the lesion, LPS, mm.")] = None,
    box: Annotated[Box | None, typer.Option(help="Two opposite corners x0 y0 z0 x1 y1 z1, LPS, mm.")] = None,
    method: Annotated[str, typer.Option(help=f"One of: {', '.join(METHODS)}.")] = "percent_of_maximum",
    percent: Annotated[float, typer.Option(help="Of percent_of_maximum: % of the maximum.")] = 41.0,
    threshold_bq_per_ml: Annotated[float | None, typer.Option(help="Of fixed: Bq/mL.")] = None,
    core_share: Annotated[float, typer.Option(help="Of adaptive: a in a·mean70 + b·background.")] = 0.5,
    background_share: Annotated[float, typer.Option(help="Of adaptive: b.")] = 0.5,
    climb_mm: Annotated[float, typer.Option(help="How far from the seed the maximum may be, mm.")] = 15.0,
    reach_mm: Annotated[float, typer.Option(help="How far from the seed the lesion may reach, mm.")] = 60.0,
    largest_ml: Annotated[float, typer.Option(help="A larger region counts as leaked, mL.")] = 500.0,
    name: Annotated[str, typer.Option(help="Name of the lesion.")] = "lesion",
    as_json: Json = False,
) -> None:
    """Draw a lesion on a SPECT image from a seed or a box."""
    from RPTDosimetryLib.records import Image
    from RPTDosimetryLib.study.image_files import read_image, write_image
    from RPTDosimetryLib.vois.lesion_tools import LesionTool, draw_lesion
    from RPTDosimetryLib.vois.lesion_volume import with_small_lesion_notes

    tool = LesionTool(
        name=name,
        method=method,  # type: ignore[arg-type]  # LesionTool refuses other words itself
        seed_mm=seed,
        box_mm=None if box is None else ((box[0], box[1], box[2]), (box[3], box[4], box[5])),
        percent=percent,
        threshold_bq_per_ml=threshold_bq_per_ml,
        core_share=core_share,
        background_share=background_share,
        climb_mm=climb_mm,
        reach_mm=reach_mm,
        largest_ml=largest_ml,
    )
    drawn = draw_lesion(read_image(spect, "Bq/mL"), tool)
    warnings = with_small_lesion_notes([drawn.voi])[0].warnings
    write_image(Image(drawn.voi.mask.astype("uint8"), drawn.voi.grid, "1"), out, drawn.voi.source)
    answer = {**drawn.answer(), "warnings": warnings, "mask": out}
    if as_json:
        print_json(answer)
        return
    print_warnings(warnings)
    print(f"{name}: {answer['volume_ml']:.4g} mL, {answer['how']}")
    print(
        f"  maximum {drawn.maximum_bq_per_ml:.4g}, mean {drawn.mean_bq_per_ml:.4g} Bq/mL, centroid "
        f"({', '.join(f'{v:.1f}' for v in drawn.centroid_mm)}) mm LPS; mask in {out}"
    )


def review(
    results: Annotated[Path, typer.Argument(help="Folder of a run's results.")],
    voi: Annotated[str, typer.Option(help="Name of the volume that is accepted, as in the table.")],
    by: Annotated[str, typer.Option(help="Who accepts it.")],
    comment: Annotated[str, typer.Option(help="Anything to add.")] = "",
    file: Annotated[Path | None, typer.Option(help="The reviews; left out: reviews.json in the folder.")] = None,
    as_json: Json = False,
) -> None:
    """Accept a contour: who and when, for this contour only; a run takes the file by the setting vois.reviews."""
    from RPTDosimetryLib.vois.review import accept_result

    where = file or results / "reviews.json"
    given = accept_result(results / "provenance.json", voi, where, by, comment)
    if as_json:
        print_json({"voi": voi, "review": given, "file": where})
    else:
        print(f"{voi}: accepted by {given.reviewer} at {given.time.isoformat()}, in {where}")
