"""The command ``rptdosimetry``: whole runs here, single steps in steps.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from RPTDosimetryLib import __version__
from RPTDosimetryLib.cli import (
    calibrate,
    dataset,
    dose_rate,
    evaluate,
    exchange,
    hybrid_options,
    lesion,
    predict,
    radiobiology,
    register,
    report,
    segment,
    steps,
    train,
)
from RPTDosimetryLib.cli import monte_carlo_options as mc
from RPTDosimetryLib.cli.terminal import Json, one_clear_error, print_json, print_warnings, shown_progress
from RPTDosimetryLib.dose.engine import engine_names
from RPTDosimetryLib.report.provenance import DISCLAIMER

app = typer.Typer(
    help=f"Voxel dosimetry for radiopharmaceutical therapy. {DISCLAIMER}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
Config = Annotated[Path | None, typer.Option(help="Choices in TOML; `rptdosimetry config` prints the documented file.")]
#: What a terminal shows; every warning is in provenance.json and in the --json answer.
MOST_WARNINGS = 20


def main() -> None:
    """Entry point of the console script."""
    with one_clear_error():
        app()


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command()
def run(
    study: Annotated[Path, typer.Argument(help="Folder with the SPECT/CT files (DICOM, or images with study.json).")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    config: Config = None,
    engine: Annotated[
        str | None, typer.Option(help=f"Instead of the configuration's: {', '.join(engine_names())}.")
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
    as_json: Json = False,
) -> None:
    """From a folder of SPECT/CT files to dose map, organ table, DVH, figures and provenance."""
    from RPTDosimetryLib.configuration import read_settings, require_names
    from RPTDosimetryLib.pipeline import run as run_pipeline
    from RPTDosimetryLib.report.assessment_tables import assessment_text
    from RPTDosimetryLib.report.tables import organ_table_text

    settings = read_settings(config)
    used = engine or settings.dose.engine
    monte_carlo = mc.with_options(
        settings.dose.monte_carlo, histories=histories, target_se=target_se, target_volumes=target_volume, media=media,
        photon_share=photon_share, flattening=flattening, refine=refine, seed=seed,
        device=device if used != "hybrid" else None, checkpoint=checkpoint,
    )  # fmt: skip
    hybrid = hybrid_options.with_options(settings.dose.hybrid, used, model, when_outside, device)
    chosen = replace(settings.dose, engine=used, monte_carlo=monte_carlo, hybrid=hybrid)
    mc.require_engine(chosen.engine, monte_carlo)
    settings = replace(settings, dose=chosen)
    require_names(settings, "the command line")
    with shown_progress(quiet=as_json) as progress:
        results = run_pipeline(study, settings, out, progress)
    print_warnings(results.warnings, MOST_WARNINGS, str(results.provenance))
    if as_json:
        print_json(results.answer())
        return
    print(organ_table_text(results.organ_doses))
    if results.outcome.limits:
        print(assessment_text(results.outcome))
    print(results.where())


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the virtual study and its results.")] = Path("demo-output"),
    ct: Annotated[
        Path | None, typer.Option(help="A real CT (DICOM folder or image file) to lay the activity on.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="Organ label file on that CT.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the virtual patient and its noise.")] = 1,
    as_json: Json = False,
) -> None:
    """Write a virtual patient as real DICOM, run the whole chain on it, and compare with the known truth."""
    from RPTDosimetryLib.demo import DemoSettings, run_demo

    with shown_progress(quiet=as_json) as progress:
        outcome = run_demo(out, DemoSettings(seed=seed, ct=ct, labels=labels), progress)
    print_warnings(outcome.results.warnings, MOST_WARNINGS, str(outcome.results.provenance))
    if as_json:
        print_json(outcome.answer())
    else:
        print(outcome.text())


@app.command()
def validate(
    shared: Annotated[Path, typer.Option(help="Folder with the reference cases (reference/, data/).")] = Path(
        "../shared"
    ),
    write: Annotated[Path | None, typer.Option(help="Also write the validation page (Markdown) there.")] = None,
    as_json: Json = False,
) -> None:
    """Compare with every published or independent reference case; exit code 1 when one fails."""
    from RPTDosimetryLib.validation import compare, validation_text, write_page

    with shown_progress(quiet=as_json) as progress:
        topics = compare(shared, progress)
    rows = [row for topic in topics for row in topic.rows]
    if write is not None:
        write_page(topics, write)
    if as_json:
        print_json({"rows": rows, "passed": all(row.passed for row in rows)})
    else:
        print(validation_text(rows))
    if not all(row.passed for row in rows):
        raise typer.Exit(1)


@app.command()
def config() -> None:
    """Print the documented configuration with every choice at its default."""
    from RPTDosimetryLib.configuration import default_toml

    print(default_toml(), end="")


steps.add_to(app)
lesion.add_to(app)
calibrate.add_to(app)
dose_rate.add_to(app)
dataset.add_to(app)
exchange.add_to(app)
report.add_to(app)
evaluate.add_to(app)
segment.add_to(app)
register.add_to(app)
radiobiology.add_to(app)
train.add_to(app)
predict.add_to(app)
