"""Verbs of radiobiology and radiation protection, from plain numbers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from RPTDosimetryLib.cli.terminal import Json, print_json, rows_text


def add_to(app: typer.Typer) -> None:
    """Register bed and protection."""
    app.command()(bed)
    app.command()(protection)


def bed(
    dose: Annotated[float, typer.Option(help="Absorbed dose of the cycle, Gy.")],
    half_life_h: Annotated[float, typer.Option(help="Effective half-life of the organ's own activity, h.")],
    organ: Annotated[str, typer.Option(help="Whose α/β and repair half-time are taken, for example kidney.")] = "",
    alpha_beta: Annotated[float | None, typer.Option(help="α/β, Gy, in place of the organ's.")] = None,
    repair_half_life_h: Annotated[float | None, typer.Option(help="Repair half-time, h, in place of it.")] = None,
    as_json: Json = False,
) -> None:
    """BED and EQD2 of one dose that follows one exponential, with all that they rest on."""
    from RPTDosimetryLib.errors import ConfigurationError
    from RPTDosimetryLib.radiobiology.lea_catcheside import mono_exponential_factor
    from RPTDosimetryLib.radiobiology.organ_effects import bed_of_dose
    from RPTDosimetryLib.radiobiology.tissues import TISSUES, Tissue, organ_of

    known = next((tissue for tissue in TISSUES if organ and organ_of(tissue.organ) == organ_of(organ)), None)
    own = alpha_beta is not None and repair_half_life_h is not None
    if known is None and not own:
        raise ConfigurationError(
            f"No α/β and repair half-time with a source are known for {organ or 'no organ'} (known: "
            f"{', '.join(tissue.organ for tissue in TISSUES)}): give --alpha-beta and --repair-half-life-h."
        )
    tissue = Tissue(
        organ or "given",
        alpha_beta if alpha_beta is not None or known is None else known.alpha_beta_gy,  # type: ignore[arg-type]
        repair_half_life_h if repair_half_life_h is not None or known is None else known.repair_half_life_h,  # type: ignore[arg-type]
        "given on the command line" if own or known is None else known.source,
    )
    answer = bed_of_dose(dose, mono_exponential_factor(half_life_h, tissue.repair_half_life_h), tissue)
    if as_json:
        print_json(answer)
        return
    print(
        f"BED {answer['bed_gy']:.5g} Gy, EQD2 {answer['eqd2_gy']:.5g} Gy of {dose:g} Gy: "
        f"α/β {tissue.alpha_beta_gy:g} Gy, "
        f"T_rep {tissue.repair_half_life_h:g} h, T_eff {half_life_h:g} h, G = {answer['lea_catcheside']:.4g} "
        f"({tissue.source})"
    )


def protection(
    activity_gbq: Annotated[float, typer.Option(help="Administered activity, GBq.")],
    nuclide: Annotated[str, typer.Option(help="For example Lu-177, Tb-161, I-131.")] = "Lu-177",
    release_usv_per_h: Annotated[
        float | None, typer.Option(help="Dose rate at 1 m up to which patients leave.")
    ] = None,
    release_source: Annotated[str, typer.Option(help="The rule that sets it.")] = "given on the command line",
    as_json: Json = False,
) -> None:
    """Dose rate at 1 m over time when nothing is excreted, and what one administration gives to staff."""
    from RPTDosimetryLib.physics.nuclides import nuclide as known_nuclide
    from RPTDosimetryLib.radiobiology.protection import Patient, ProtectionSettings, protection_of
    from RPTDosimetryLib.units import BQ_PER_GBQ

    known = known_nuclide(nuclide)
    settings = ProtectionSettings(release_usv_per_h, release_source)
    record = protection_of(Patient(known, known.lambda_phys_per_s, activity_gbq * BQ_PER_GBQ), settings)
    if as_json:
        print_json(record.answer())
        return
    print(f"{record.ambient_usv_m2_per_gbq_h:.4g} µSv·m²/(GBq·h): {record.constant_source}. {record.activity_from}")
    print(rows_text(("time_h", "activity_mbq", "dose_rate_usv_per_h"), [asdict(point) for point in record.points]))
    print(f"Release: {record.release_arithmetic}")
    if record.staff:
        columns = ("who", "part", "dose_usv", "annual_limit_msv", "sessions_a_year")
        print(rows_text(columns, [asdict(exposure) for exposure in record.staff]))
    print("\n".join(record.notes))
