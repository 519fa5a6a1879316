from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

SHARED = Path(__file__).resolve().parents[3] / "../shared"


@pytest.fixture(scope="session")
def torso():
    """The voxel maps of the AM torso by file name, as arrays (z, y, x), and the path of its materials."""
    folder = SHARED / "data" / "am"
    if not folder.is_dir():
        pytest.skip("the AM torso (../shared/data/am) is not beside this checkout")

    def read(name: str) -> np.ndarray:
        return sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"{name}.nrrd")))

    return {name: read(name) for name in ("hu", "density_gcc", "material")} | {"json": folder / "materials.json"}
