"""Which tracer a PET shows: by its radionuclide and by the radiopharmaceutical's name, as headers write them."""

from __future__ import annotations

import re
from typing import Final

#: Half-lives [s] (DDEP/LNHB evaluations): Ga-68 67.83 min, F-18 1.8289 h, Cu-64 12.7004 h.
HALF_LIFE_S: Final = {"Ga-68": 67.83 * 60.0, "F-18": 1.8289 * 3600.0, "Cu-64": 12.7004 * 3600.0}
#: (nuclide, words in the name without spaces and signs, canonical name); the first that fits is it.
_KNOWN: Final[tuple[tuple[str, str, str], ...]] = (
    ("Ga-68", "PSMA617", "[68Ga]Ga-PSMA-617"),
    ("Ga-68", "PSMAI&?A?N?D?T", "[68Ga]Ga-PSMA-I&T"),
    ("Ga-68", "PSMA(11)?|HBEDCC|GOZETOTIDE", "[68Ga]Ga-PSMA-11"),
    ("Ga-68", "DOTATATE|OXODOTREOTIDE", "[68Ga]Ga-DOTATATE"),
    ("Ga-68", "DOTATOC|EDOTREOTIDE", "[68Ga]Ga-DOTATOC"),
    ("Ga-68", "DOTANOC", "[68Ga]Ga-DOTANOC"),
    ("Ga-68", "FAPI", "[68Ga]Ga-FAPI"),
    ("F-18", "PSMA1007", "[18F]PSMA-1007"),
    ("F-18", "DCFPYL|PIFLUFOLASTAT", "[18F]DCFPyL"),
    ("F-18", "RHPSMA|FLOTUFOLASTAT", "[18F]rhPSMA-7.3"),
    ("F-18", "PSMA11", "[18F]AlF-PSMA-11"),
    ("F-18", "FDG|FLUORODEOXYGLUCOSE|FLUDEOXYGLUCOSE", "[18F]FDG"),
    ("Cu-64", "DOTATATE", "[64Cu]Cu-DOTATATE"),
    ("Cu-64", "PSMA", "[64Cu]Cu-PSMA"),
)
KNOWN_TRACERS: Final = tuple(name for _, _, name in _KNOWN)
NUCLIDE_OF: Final = {name: nuclide for nuclide, _, name in _KNOWN}


def tracer_of(nuclide: str | None, name: str) -> str | None:
    """[68Ga]Ga-PSMA-11 from ("Ga-68", "68Ga PSMA 11"); None where nuclide and name together tell no known tracer."""
    bare = re.sub(r"[^A-Z0-9&]", "", name.upper())
    bare = re.sub(r"(68GALLIUM|GALLIUM68|68GA|GA68)", "", bare)
    for known_nuclide, pattern, tracer in _KNOWN:
        if nuclide == known_nuclide and re.search(pattern, bare):
            return tracer
    return None
