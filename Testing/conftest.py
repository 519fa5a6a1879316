"""Settings of every test, and the theranostic patient of the tests of prediction and of its page in the panel."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says more about the machine's load than about the code; speed has benchmarks of its own.
settings.register_profile("any_load", deadline=None)
settings.load_profile("any_load")

INJECTED = datetime(2024, 5, 6, 9, 0, 0)


@dataclass(frozen=True)
class PetFiles:
    """Folder of the PET/CT and file of the organs on its CT."""

    study: Path
    labels: Path


@pytest.fixture(scope="session")
def stored(tmp_path_factory):
    """A theranostic patient as written and read."""
    from RPTDosimetryLib.prediction.theranostic_anatomy import torso_anatomy
    from RPTDosimetryLib.prediction.theranostic_dataset import read_patient, write_patient
    from RPTDosimetryLib.prediction.theranostic_patient import theranostic_patient

    folder = tmp_path_factory.mktemp("patient") / "patient-0001"
    write_patient(theranostic_patient(torso_anatomy(1007), 1007), folder, {"seed": 1007, "split": "test"})
    return read_patient(folder)


@pytest.fixture(scope="session")
def pet_files(stored, tmp_path_factory) -> PetFiles:
    """As a scanner would store it, [68Ga]Ga-PSMA-11 an hour after 150 MBq; labels as 3D Slicer writes them."""
    import numpy as np
    import pydicom
    import SimpleITK as sitk

    from RPTDosimetryLib.grid import sitk_image
    from RPTDosimetryLib.prediction.tracers import HALF_LIFE_S
    from RPTDosimetryLib.records import Administration, Image
    from RPTDosimetryLib.virtual_patient.dicom_identity import PatientInfo, Visit
    from RPTDosimetryLib.virtual_patient.dicom_writer import PtOptions, write_ct_series, write_pt_series

    root = tmp_path_factory.mktemp("pet-ct")
    half_life = HALF_LIFE_S["Ga-68"]
    bq_per_ml = stored.pet_suv * 150e6 / (1000.0 * stored.weight_kg) * 2.0 ** (-3600.0 / half_life)
    who = PatientInfo(weight_kg=stored.weight_kg)
    visit = Visit(1, INJECTED + timedelta(minutes=60), 180.0, frame="one")
    given = Administration("Ga-68", 150e6, INJECTED, half_life)
    grid = stored.grid
    files = write_pt_series(
        Image(bq_per_ml, grid, "Bq/mL"), root / "study" / "pet", who, visit, given, PtOptions("BQML", "START")
    )
    for file in files:
        dataset = pydicom.dcmread(file)
        item = dataset.RadiopharmaceuticalInformationSequence[0]
        item.Radiopharmaceutical = "68Ga-PSMA-11"
        dataset.save_as(file)
    write_ct_series(Image(stored.hu.astype(np.float32), grid, "HU"), root / "study" / "ct", who, visit)
    labels = sitk_image(np.where(stored.labels > 1, stored.labels, 0).astype(np.uint8), grid)
    for number, (name, value) in enumerate(item for item in stored.names.items() if item[1] > 1):
        labels.SetMetaData(f"Segment{number}_Name", name)
        labels.SetMetaData(f"Segment{number}_LabelValue", str(value))
        labels.SetMetaData(f"Segment{number}_Layer", "0")
    path = root / "organs.seg.nrrd"
    sitk.WriteImage(labels, str(path), useCompression=True)
    return PetFiles(root / "study", path)
