"""Tissues of the virtual patient: what each looks like on CT and how it shares the activity of the remainder."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Tissue(IntEnum):
    """Label of a tissue in the anatomy; lesions count up from LESION."""

    OUTSIDE = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    VISCERAL_FAT = 4
    LUNG = 5
    MEDIASTINUM = 6
    HEART_WALL = 7
    BLOOD = 8
    LIVER = 9
    GALLBLADDER = 10
    SPLEEN = 11
    PANCREAS = 12
    KIDNEY_LEFT_CORTEX = 13
    KIDNEY_LEFT_MEDULLA = 14
    KIDNEY_RIGHT_CORTEX = 15
    KIDNEY_RIGHT_MEDULLA = 16
    GUT_WALL = 17
    GUT_CONTENT = 18
    GAS = 19
    BLADDER = 20
    BONE_CORTEX = 21
    MARROW = 22
    DISC = 23
    SPINAL_CORD = 24
    CARTILAGE = 25
    VERTEBRAL_MARROW = 26
    LESION = 32


@dataclass(frozen=True)
class Look:
    """Mean HU without contrast medium, its texture (1 σ, HU), and activity per mL of the remainder, muscle being 1."""

    hu: float
    texture_hu: float
    remainder: float


#: HU: the usual ranges of radiology textbooks for unenhanced 120 kV CT (fat -100, muscle 50, liver 60, spleen 50,
#: kidney 30, blood 40, lung -700 to -850, spongiosa 100-300, compact bone above 300, fluids 0-20): a choice.
#: The remainder follows blood content per mL, rounded from the organ shares of ICRP 89 (2002), table 2.14.
LOOKS: Final[dict[Tissue, Look]] = {
    Tissue.OUTSIDE: Look(-1000.0, 0.0, 0.0),
    Tissue.SKIN: Look(20.0, 5.0, 1.0),
    Tissue.FAT: Look(-100.0, 6.0, 0.4),
    Tissue.MUSCLE: Look(52.0, 7.0, 1.0),
    Tissue.VISCERAL_FAT: Look(-95.0, 9.0, 0.6),
    Tissue.LUNG: Look(-790.0, 45.0, 1.2),
    Tissue.MEDIASTINUM: Look(10.0, 20.0, 1.2),
    Tissue.HEART_WALL: Look(48.0, 4.0, 2.5),
    Tissue.BLOOD: Look(42.0, 3.0, 6.0),
    Tissue.LIVER: Look(58.0, 5.0, 0.0),
    Tissue.GALLBLADDER: Look(8.0, 2.0, 0.5),
    Tissue.SPLEEN: Look(48.0, 4.0, 0.0),
    Tissue.PANCREAS: Look(35.0, 12.0, 3.0),
    Tissue.KIDNEY_LEFT_CORTEX: Look(36.0, 4.0, 0.0),
    Tissue.KIDNEY_LEFT_MEDULLA: Look(28.0, 4.0, 0.0),
    Tissue.KIDNEY_RIGHT_CORTEX: Look(36.0, 4.0, 0.0),
    Tissue.KIDNEY_RIGHT_MEDULLA: Look(28.0, 4.0, 0.0),
    Tissue.GUT_WALL: Look(38.0, 8.0, 2.5),
    Tissue.GUT_CONTENT: Look(18.0, 25.0, 0.5),
    Tissue.GAS: Look(-920.0, 20.0, 0.0),
    Tissue.BLADDER: Look(6.0, 2.0, 0.0),
    Tissue.BONE_CORTEX: Look(620.0, 110.0, 0.3),
    Tissue.MARROW: Look(190.0, 40.0, 0.0),
    Tissue.VERTEBRAL_MARROW: Look(190.0, 40.0, 0.0),
    Tissue.DISC: Look(85.0, 10.0, 0.4),
    Tissue.SPINAL_CORD: Look(32.0, 4.0, 0.8),
    Tissue.CARTILAGE: Look(110.0, 20.0, 0.4),
    Tissue.LESION: Look(40.0, 6.0, 0.0),
}
#: A sclerotic bone metastasis is denser than the marrow around it.
BONE_LESION_HU: Final = 420.0
