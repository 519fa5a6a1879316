"""A small hybrid model with random weights whose guard knows the patient of upstream.four_time_points."""


def write_small_model(folder, panel, registered, spread=0.2, members=2, ranges=None, **card):
    """A model of a few kilobytes for the case as step Kinetics left it; ranges: of the guard, by feature."""
    import torch

    from RPTDosimetryLib.bridge.doses import tia_of_case
    from RPTDosimetryLib.learning.guard import features_of, guard_table
    from RPTDosimetryLib.learning.model_file import write_model
    from RPTDosimetryLib.learning.network_registry import network_kind
    from RPTDosimetryLib.registration.patient_map import patient_map_of

    options = {"channels": [4, 4]}
    patient, tia = patient_map_of(registered), tia_of_case(panel.case).image
    features = features_of(patient.density.voxels, patient.medium > 0, tia.voxels, tia.grid.spacing_mm)
    guard = guard_table([features])
    guard["ranges"] |= ranges or {}
    weights = []
    for seed in range(members):
        torch.manual_seed(seed)
        module = network_kind("linear_kernel").module(options)
        torch.nn.init.normal_(module.head.weight, std=spread)
        weights.append(module.state_dict())
    whole = {
        "name": folder.name,
        "network": "linear_kernel",
        "source": "made for a test",
        "options": options,
        "purpose": "Random weights: good for nothing but tests.",
        "nuclide": "Lu-177",
        "spacing_mm": list(tia.grid.spacing_mm),
        "guard": guard,
        "data": {"text": "one made-up patient"},
        "training": {"text": "none"},
        "figures": {"rae_percent": 2.5, "msv_rae_percent": 4.5, "voi_percent": 0.5, "msv_voi_percent": 2.25},
        "limits": {"bound": "at most 0.9 of MSV", "text": "Not for patients."},
        "licence": "Apache-2.0",
        "made": "2026-11-27",
        "members": [{"fold": fold} for fold in range(members)],
        **card,
    }
    write_model(folder, whole, weights)
    return folder
