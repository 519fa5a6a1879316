"""The rules of the house: imports point one way, Slicer stays in bridge/, CMake lists what is on disk."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
MODULE = CHECKOUT / "RPTDosimetry"
LIBRARY = MODULE / "RPTDosimetryLib"
ROOMS = [
    *("errors", "units", "text", "grid", "records", "files", "interim_dose", "physics", "transport"),
    *("study", "virtual_patient"),
    *("calibration", "registration", "vois", "tia", "dose", "evaluation", "radiobiology", "uncertainty"),
    *("learning", "prediction", "report", "configuration", "pipeline", "replay", "validation", "demo", "cli"),
    *("background", "bridge"),
]
SLICER_PACKAGES = {"slicer", "qt", "ctk", "vtk", "sitkUtils"}
SCRIPTS = sorted(LIBRARY.rglob("*.py"))
DATA_ENDINGS = {".json", ".npz", ".csv", ".toml", ".html", ".ui", ".png", ".safetensors"}


def room_of(path: Path) -> str:
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: str(p.relative_to(LIBRARY)))
def test_a_room_imports_only_from_rooms_above_it(path):
    if path == LIBRARY / "__init__.py":
        return
    for module in imported_modules(path):
        parts = module.split(".")
        if parts[0] == "RPTDosimetryLib" and parts[1] in ROOMS:
            assert ROOMS.index(parts[1]) <= ROOMS.index(room_of(path)), f"{path.name} imports upward: {module}"
        if room_of(path) != "bridge":
            assert parts[0] not in SLICER_PACKAGES, f"{path.name} knows Slicer: {module}"


def test_every_room_is_in_the_list():
    assert {room_of(path) for path in SCRIPTS} - {"__init__"} <= set(ROOMS)


def test_library_imports_with_slicer_blocked():
    names = [".".join(p.relative_to(MODULE).with_suffix("").parts) for p in SCRIPTS if "bridge" not in p.parts]
    modules = [name for name in names if not name.endswith("generate_tables")]  # needs the extra of its own
    program = (
        "import sys, importlib\n"
        f"for blocked in {sorted(SLICER_PACKAGES)!r}: sys.modules[blocked] = None\n"
        f"for module in {modules!r}: importlib.import_module(module)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("variable", "endings"), [("MODULE_PYTHON_SCRIPTS", {".py"}), ("MODULE_PYTHON_RESOURCES", DATA_ENDINGS)]
)
def test_cmake_lists_every_file_of_the_module(variable, endings):
    text = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8").replace("${MODULE_NAME}", "RPTDosimetry")
    listed = set(re.search(rf"set\({variable}(.*?)\)", text, re.DOTALL)[1].split())
    on_disk = {
        path.relative_to(MODULE).as_posix()
        for path in MODULE.rglob("*")
        if path.suffix in endings and not {"__pycache__"} & set(path.parts) and "egg-info" not in str(path)
    }
    assert listed == on_disk, f"missing: {sorted(on_disk - listed)}; gone: {sorted(listed - on_disk)}"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: str(p.relative_to(LIBRARY)))
def test_files_stay_short_enough_to_read(path):
    assert path.read_text(encoding="utf-8").count("\n") <= 500


def test_extensions_index_entry_has_the_fields_of_schema_1_0_2_and_the_category_of_the_module():
    entry = json.loads((CHECKOUT / "RPTDosimetry.json").read_text(encoding="utf-8"))
    known = {"scm_revision", "scm_type", "build_dependencies", "build_subdirectory", "enabled", "tier"}
    assert {"$schema", "category", "scm_url"} <= set(entry) <= {"$schema", "category", "scm_url", *known}
    assert entry["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.2.json#")
    assert f'"{entry["category"]}"' in (CHECKOUT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert f'"{entry["category"]}"' in (MODULE / "RPTDosimetry.py").read_text(encoding="utf-8")


def test_slicer_module_is_a_shell_of_five_short_classes():
    classes = [n for n in ast.parse((MODULE / "RPTDosimetry.py").read_text()).body if isinstance(n, ast.ClassDef)]
    name = "RPTDosimetry"
    assert [c.name for c in classes] == [name + part for part in ("", "ParameterNode", "Logic", "Widget", "Test")]
    assert all(c.end_lineno - c.lineno < 60 for c in classes)
