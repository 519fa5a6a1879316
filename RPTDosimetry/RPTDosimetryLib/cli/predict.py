"""The verbs of pre-therapy prediction: virtual patients to learn from, training of the projection, and predicting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from RPTDosimetryLib.cli.terminal import Json, print_json, print_warnings, rows_text, shown_progress
from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.units import BQ_PER_MBQ


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("predict")(predict)
    app.command("dataset-predict")(dataset_predict)
    app.command("train-projection")(train_projection)
    app.command("judge-predictions")(judge_predictions)
    app.command("heterogeneity")(heterogeneity)


def dataset_predict(
    out: Annotated[Path, typer.Option(help="Folder for the patients; one that was stopped goes on.")],
    patients: Annotated[int, typer.Option(help="How many.")] = 48,
    seed: Annotated[int, typer.Option(help="Seed of the first; the others follow.")] = 1,
    kind: Annotated[
        list[str] | None, typer.Option(help="Anatomies in turn, once for each; left out: torso, male, obese, slim.")
    ] = None,
    test_share: Annotated[float, typer.Option(help="Share of patients kept for judging.")] = 0.25,
    processes: Annotated[int, typer.Option(help="Patients made at the same time, one core each.")] = 1,
    as_json: Json = False,
) -> None:
    """Theranostic virtual patients: PET [SUV], CT, organs, dose [Gy] of 1 GBq by msv8."""
    from RPTDosimetryLib.prediction.theranostic_dataset import (
        TRAINING_KINDS,
        TheranosticDataset,
        write_theranostic_dataset,
    )

    wanted = TheranosticDataset(patients, tuple(kind or TRAINING_KINDS), seed, test_share, processes)
    with shown_progress(quiet=as_json) as progress:
        answer = write_theranostic_dataset(wanted, out, progress)
    if as_json:
        print_json(answer)
        return
    print(
        f"{answer['root']}: {answer['patients']} patients, {answer['made']} made now, {answer['stood']} stood already."
    )


def predict(
    pet_study: Annotated[Path, typer.Argument(help="Folder with one PET series and its CT (DICOM).")],
    labels: Annotated[Path, typer.Option(help="Organs on the CT: label image, SEG or RTSTRUCT; kidneys and liver.")],
    out: Annotated[Path, typer.Option(help="Folder for the prediction.")],
    method: Annotated[str, typer.Option(help="projection, pbpk or gan.")] = "projection",
    therapy_ct: Annotated[
        Path | None, typer.Option(help="CT of the therapy SPECT/CT: the PET/CT is aligned with it; organs lie on it.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Another regressor (JSON), or the folder of a DoseGAN.")] = None,
    tracer: Annotated[str | None, typer.Option(help="Where the header does not tell it: [68Ga]Ga-PSMA-11, …")] = None,
    weight_kg: Annotated[
        float | None, typer.Option(help="Body weight in kg, where the header does not tell it.")
    ] = None,
    injected_mbq: Annotated[float | None, typer.Option(help="Injected activity [MBq], likewise.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Minutes from injection to scan, likewise.")] = None,
    agent: Annotated[str, typer.Option(help="Therapy agent the dose is for.")] = "[177Lu]Lu-PSMA-617",
    want: Annotated[
        list[str] | None, typer.Option(help="ORGAN=GY: which activity would give that mean dose; once for each.")
    ] = None,
    though_unlike: Annotated[
        bool, typer.Option("--though-unlike", help="Also where kidneys or liver are unlike all patients known.")
    ] = False,
    as_json: Json = False,
) -> None:
    """A PREDICTION of dose per activity from the PET before therapy: map, organs with intervals, DVH, figure."""
    from RPTDosimetryLib.prediction.methods import wanted_activity
    from RPTDosimetryLib.prediction.pet_study import PetFacts
    from RPTDosimetryLib.prediction.predict_study import PredictionOrder, predict_study
    from RPTDosimetryLib.records import part_of
    from RPTDosimetryLib.report.prediction_report import write_prediction
    from RPTDosimetryLib.study.read_ct import read_ct

    doses = [_wanted(text) for text in want or []]
    with shown_progress(quiet=as_json) as progress:
        ct = None if therapy_ct is None else read_ct(therapy_ct)
        said = PetFacts(weight_kg, None if injected_mbq is None else injected_mbq * BQ_PER_MBQ, minutes)
        order = PredictionOrder(pet_study, labels, method, model, tracer, said, agent, ct, though_unlike)
        found = predict_study(order, part_of(progress, 0.0, 0.8))
        predicted = found.predicted
        activities = [wanted_activity(predicted, organ, gy) for organ, gy in doses]
        progress(0.8, "Writing")
        answer = write_prediction(found.case, predicted, activities, found.origin(pet_study), out)
    if as_json:
        print_json(answer)
        return
    print_warnings(found.notes)
    print(f"{answer['mark']}. {predicted.text}")
    print(rows_text(("name", "mean_gy_per_gbq", "low_gy_per_gbq", "high_gy_per_gbq"), answer["organs"]))
    for one in activities:
        print(one.text)
    print(f"Files in {out}")


def train_projection(
    dataset: Annotated[Path, typer.Option(help="Folder of theranostic patients (dataset-predict).")],
    out: Annotated[Path, typer.Option(help="JSON file for the regressor.")],
    as_json: Json = False,
) -> None:
    """Learn the projection's organ doses from the training patients, cross-validated by patient."""
    from RPTDosimetryLib.prediction.organ_regressor import train_organ_regressor, write_regressor
    from RPTDosimetryLib.prediction.theranostic_dataset import read_patients

    with shown_progress(quiet=as_json) as progress:
        progress(0.0, "Learning")
        regressor = train_organ_regressor(read_patients(dataset, "train"))
        write_regressor(regressor, out)
    organs = [
        {"organ": name, "patients": m.patients, "mape_percent": m.mape_percent} for name, m in regressor.organs.items()
    ]
    if as_json:
        print_json({"out": out, "trained_on": regressor.trained_on, "organs": organs})
        return
    print(rows_text(("organ", "patients", "mape_percent"), organs))
    print(f"Regressor in {out}")


def judge_predictions(
    dataset: Annotated[Path, typer.Option(help="Folder of theranostic patients; those of the split test are judged.")],
    model: Annotated[Path | None, typer.Option(help="Regressor (JSON) in place of the shipped one.")] = None,
    gan: Annotated[Path | None, typer.Option(help="Folder of a DoseGAN to judge beside the others.")] = None,
    as_json: Json = False,
) -> None:
    """All methods on held-out virtual patients in one table (Markdown), published figures in brackets."""
    from RPTDosimetryLib.prediction.judgement import Method, judge, standard_methods, table, table_markdown
    from RPTDosimetryLib.prediction.methods import predict_case
    from RPTDosimetryLib.prediction.organ_regressor import SHIPPED, read_regressor
    from RPTDosimetryLib.prediction.theranostic_dataset import read_patients

    methods: dict[str, Method] = standard_methods(read_regressor(model or SHIPPED))
    if gan is not None:
        methods = {"gan": lambda case: predict_case(case, "gan", gan).map_gy_per_gbq.voxels, **methods}
    with shown_progress(quiet=as_json) as progress:
        rows = table(judge(read_patients(dataset, "test"), methods, progress))
    if as_json:
        print_json({"rows": rows})
        return
    print(table_markdown(rows))


def _wanted(text: str) -> tuple[str, float]:
    """("kidneys", 23.0) from kidneys=23."""
    organ, _, dose = text.partition("=")
    try:
        return organ.strip(), float(dose)
    except ValueError as error:
        raise PredictionError(f"--want {text}: write ORGAN=GY, such as kidneys=23.") from error


def heterogeneity(
    dataset: Annotated[Path, typer.Option(help="Folder of theranostic patients (dataset-predict).")],
    out: Annotated[Path, typer.Option(help="Folder for simulation.png and heterogeneity.png.")],
    as_json: Json = False,
) -> None:
    """What a PET can tell of a dose: the published simulation, and correlations of voxels and textures in patients."""
    from RPTDosimetryLib.prediction.heterogeneity import FAMILIES, ORGANS
    from RPTDosimetryLib.prediction.heterogeneity import heterogeneity as correlations
    from RPTDosimetryLib.prediction.kinetic_simulation import CASES, simulate_voxels
    from RPTDosimetryLib.prediction.pet_case import case_of
    from RPTDosimetryLib.prediction.theranostic_dataset import read_patients
    from RPTDosimetryLib.report.heterogeneity_figure import save_heterogeneity_figure, save_simulation_figure

    patients = read_patients(dataset)
    with shown_progress(quiet=as_json) as progress:
        found = correlations(patients, progress=progress)
    simulated = [simulate_voxels(case) for case in CASES]
    case, one = case_of(patients[0]), patients[0]
    voxels = {organ: (one.pet_suv[case.organs[organ]], one.dose_gy[case.organs[organ]]) for organ in ORGANS}
    save_simulation_figure(simulated, out / "simulation.png")
    save_heterogeneity_figure(found, voxels, out / "heterogeneity.png")
    answer = {
        "simulation": [{"case": s.case, "r": s.r, "r_each": s.r_each} for s in simulated],
        "voxel_r": {organ: found.mean_voxel_r(organ) for organ in ORGANS},
        "texture_r": {family: found.mean_texture_r(family) for family in FAMILIES},
        "out": out,
    }
    if as_json:
        print_json(answer)
        return
    for key in ("voxel_r", "texture_r"):
        print(f"{key}: " + ", ".join(f"{name} {r:.2f}" for name, r in answer[key].items()))  # type: ignore[attr-defined]
    print(f"Figures in {out}")
