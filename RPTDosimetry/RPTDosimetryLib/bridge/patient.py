"""Density and media of the patient in the scene, and how the panel says that CT numbers become them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import hierarchy
from RPTDosimetryLib.bridge.case import Case, fingerprint
from RPTDosimetryLib.bridge.volumes import image_of, volume_from_image
from RPTDosimetryLib.errors import ConfigurationError
from RPTDosimetryLib.records import PatientMap

if TYPE_CHECKING:
    from RPTDosimetryLib.physics.media import MediaScheme
    from RPTDosimetryLib.registration.patient_map import DensitySettings

_patients: WeakKeyDictionary[Case, tuple[str, PatientMap]] = WeakKeyDictionary()


def density_settings_of(case: Case) -> DensitySettings:
    """HU curve and what lies outside the CT. Raises ConfigurationError, PhysicsDataError for points that are none."""
    from RPTDosimetryLib.registration.patient_map import DensitySettings

    chosen = case.parameters.segmentation
    settings = DensitySettings(_points(chosen.huCurve), chosen.outsideCt.name)
    _ = settings.curve  # raises
    return settings


def _points(text: str) -> tuple[tuple[float, float], ...] | None:
    """Points (HU, g/cm3) from "HU g/cm3, HU g/cm3"; None from nothing."""
    if not text.strip():
        return None
    try:
        pairs = [[float(value) for value in part.split()] for part in text.replace(";", ",").split(",") if part.strip()]
        return tuple((hu, density) for hu, density in pairs)
    except ValueError as error:
        raise ConfigurationError(
            f'The HU curve "{text}" cannot be read: write HU and g/cm3 of each point with commas between them, such as '
            "-1000 0.00121, 0 1.018, 1600 1.96."
        ) from error


def patient_of_case(case: Case, scheme: MediaScheme | None = None) -> PatientMap:
    """Density and media on the dose grid: those in the scene where they are of this registration and scheme, else anew.

    scheme: of the dose engine (dose.engine.scheme_of); None takes msv8's. Raises what patient_map_of raises.
    """
    from RPTDosimetryLib.bridge.registered import registered_of
    from RPTDosimetryLib.physics.media import SCHNEIDER_8
    from RPTDosimetryLib.registration.patient_map import patient_map_of

    wanted = scheme or SCHNEIDER_8
    made_from = fingerprint([_patient_inputs(case), wanted.name])
    density, medium = case.node(at.DENSITY), case.node(at.MEDIUM)
    if density is not None and medium is not None and at.text(density, "MadeFrom") == made_from:
        voxels = image_of(medium).voxels.astype(np.uint8)
        told = at.text(density, "Scheme"), at.text(density, "Source"), at.lines(density, "Warnings")
        return PatientMap(image_of(density), voxels, *told)
    known = _patients.get(case)
    if known is None or known[0] != made_from:
        known = (made_from, patient_map_of(registered_of(case), density_settings_of(case), wanted))
        _patients[case] = known
    return known[1]


def put_patient(case: Case, patient: PatientMap) -> list[Any]:
    """Show density and media in the scene, in place of earlier ones; returns the nodes."""
    from RPTDosimetryLib.records import Image

    made_from = fingerprint([_patient_inputs(case), patient.scheme])
    for node in [*case.nodes(at.DENSITY), *case.nodes(at.MEDIUM)]:
        case.remove(node)
    density = volume_from_image(patient.density, "Density [g/cm³]", at.DENSITY)
    medium = volume_from_image(Image(patient.medium, patient.density.grid, "1"), "Media", at.MEDIUM)
    at.write_all(density, Scheme=patient.scheme, Source=patient.source, Warnings=list(patient.warnings))
    at.write(density, "MadeFrom", made_from)
    folder = hierarchy.result_item(hierarchy.study_item(at.text(case.node_of_settings, "PatientId")), "Patient")
    for node in (density, medium):
        hierarchy.place(node, folder)
    return [density, medium]


def _patient_inputs(case: Case) -> str:
    roles = (at.CT, at.REGISTERED, at.ALIGNMENT)
    nodes = [node for role in roles for node in case.nodes(role)]
    return fingerprint([case.content(nodes), asdict(density_settings_of(case))])
