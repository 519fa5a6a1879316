"""Names of structures, however they are spelt, mean one canonical name with one standard code."""

import csv
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.sr._concepts_dict import concepts

from RPTDosimetryLib.records import Code
from RPTDosimetryLib.vois.names import (
    canonical_name,
    code_of,
    is_lesion_code,
    known_structure,
    name_of_code,
)

ROWS = list(
    csv.DictReader(
        resources.files("RPTDosimetryLib.vois").joinpath("data/structure_names.csv").read_text("utf-8").splitlines()
    )
)
SPELLINGS = {
    "left kidney": ("kidney_left", "Lt kidney", "KIDNEY L", "L Kidney", "Kidney (left)", "LeftKidney", "kidneyL",
                    "LKidney", "Kidney_Lt", "kidneys left", "Kidney, L."),
    "right kidney": ("kidney_right", "Rt. Kidney", "KIDNEY R", "kidney-right", "RightKidney"),
    "kidney": ("Kidneys", "both kidneys", "left and right kidneys"),
    "liver": ("LIVER", " Liver ", "Total liver"),
    "urinary bladder": ("Bladder", "urinary_bladder", "Bladder, urinary"),
    "spinal cord": ("SpinalCord", "spinal_cord", "Spinal Cord"),
    "bone marrow": ("Red Marrow", "bone_marrow", "Marrow"),
    "left parotid gland": ("parotid_gland_left", "Parotid L", "LtParotid", "parotid left"),
    "salivary gland": ("Salivary glands", "salivary"),
    "L3 vertebra": ("vertebrae_L3", "Vertebra L3", "vertebral body L3"),
    "left first rib": ("rib_left_1", "Rib 1 left", "rib_left_01"),
    "middle lobe of right lung": ("lung_middle_lobe_right",),
    "left atrium": ("heart_atrium_left", "Left Atrium"),
    "esophagus": ("Oesophagus", "ESOPHAGUS"),
    "small intestine": ("small_bowel", "Small Bowel"),
    "bone": ("Bones", "skeleton"),
    "body": ("External", "BODY", "whole body"),
    "metastasis": ("Met 1", "Mets", "Metastases", "liver met 2", "MET3", "Bone metastasis 4"),
    "neoplasm": ("Tumour", "tumor_2", "GTV", "GTV1", "Liver tumour"),
    "lesion": ("Lesion 1", "lesion_03", "Lesion12"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "spelling"), [(n, s) for n, spelt in SPELLINGS.items() for s in spelt])
def test_the_usual_spellings_are_known(name, spelling):
    assert canonical_name(spelling) == name


@pytest.mark.parametrize(
    "name",
    ["", "L", "L1", "T12", "Couch", "left liver", "liver minus tumour", "PTV", "kidney left lung right", "Isocenter",
     "Segment_1", "lesion near couch", "normal liver", "rib 13", "1", "§§", "left"],
)  # fmt: skip
def test_what_is_not_certain_stays_unknown(name):
    assert known_structure(name) is None
    assert canonical_name(name) == name
    assert code_of(name) is None


def test_the_side_is_the_modifier_of_the_code():
    assert code_of("kidney_left") == Code("64033007", "SCT", "Kidney", "left")
    assert code_of("Kidneys") == Code("64033007", "SCT", "Kidney")
    assert code_of("heart_atrium_left") == Code("82471001", "SCT", "Left atrium")  # the code itself says left


def test_a_lesion_of_an_organ_has_it_as_region():
    assert known_structure("Liver met 2").region == Code("10200004", "SCT", "Liver")
    assert known_structure("Lesion kidney R").region.laterality == "right"
    assert known_structure("Lesion 2").region is None
    for name in ("lesion1 liver R lobe", "lesion2 liver L lateral", "Met liver segment 7"):  # as a clinic wrote them
        assert known_structure(name).region == Code("10200004", "SCT", "Liver")
    assert known_structure("Met left upper lobe of lung").region == Code(
        "45653009", "SCT", "Upper lobe of lung", "left"
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_every_code_is_that_of_the_dicom_standard(row):
    meanings = [found[row["code"]][0].lower() for found in concepts["SCT"].values() if row["code"] in found]
    if row["source"] == "TotalSegmentator":
        assert not meanings  # DICOM's own tables have no code for it
        return
    assert row["source"] == "DICOM"
    assert row["meaning"].lower() in meanings


def test_names_and_synonyms_of_the_table_mean_their_own_row():
    for row in ROWS:
        for spelling in (row["name"], *(s for s in row["synonyms"].split(";") if s)):
            assert canonical_name(spelling) == row["name"], spelling
            assert code_of(spelling).value == row["code"]


def test_a_code_leads_back_to_its_name():
    assert name_of_code(Code("64033007", "SCT", "Kidney", "right")) == "right kidney"
    assert name_of_code(Code("10200004", "SCT", "anything")) == "liver"
    assert name_of_code(Code("10200004", "99LOCAL", "Liver")) is None
    assert is_lesion_code(Code("108369006", "SCT", "Neoplasm"))
    assert not is_lesion_code(Code("10200004", "SCT", "Liver"))


WORDS = ["left", "L", "rt", "Kidney", "kidneys", "liver", "lesion", "met", "Tumour", "3", "rib", "vertebrae", "L3",
         "of", "gland", "parotid", "lung", "upper", "lobe", "_", "(", ")", "atrium", "heart", "cyst"]  # fmt: skip


@given(st.one_of(st.text(max_size=25), st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)))
def test_a_canonical_name_is_its_own_canonical_name(name):
    once = canonical_name(name)
    assert canonical_name(once) == once
    assert code_of(once) == code_of(name)


TOTAL = [
    "spleen", "gallbladder", "liver", "stomach", "pancreas", "esophagus", "trachea", "thyroid_gland",
    "small_bowel", "duodenum", "colon", "urinary_bladder", "prostate", "sacrum", "heart", "aorta",
    "pulmonary_vein", "brachiocephalic_trunk", "superior_vena_cava", "inferior_vena_cava",
    "portal_vein_and_splenic_vein", "spinal_cord", "brain", "skull", "sternum", "costal_cartilages",
    "atrial_appendage_left", "lung_middle_lobe_right"
]  # fmt: skip
TOTAL_PAIRED = [
    "kidney", "adrenal_gland", "lung_upper_lobe", "lung_lower_lobe", "kidney_cyst", "subclavian_artery",
    "common_carotid_artery", "brachiocephalic_vein", "iliac_artery", "iliac_vena", "humerus", "scapula",
    "clavicula", "femur", "hip", "gluteus_maximus", "gluteus_medius", "gluteus_minimus", "autochthon",
    "iliopsoas"
]  # fmt: skip
TOTAL += [f"{name}_{side}" for name in TOTAL_PAIRED for side in ("left", "right")]
TOTAL += [f"rib_{side}_{n}" for n in range(1, 13) for side in ("left", "right")]
TOTAL += [
    f"vertebrae_{level}{n}" for level, last in (("C", 7), ("T", 12), ("L", 5), ("S", 1)) for n in range(1, last + 1)
]


def test_every_class_of_totalsegmentators_main_task_is_known():
    assert len(TOTAL) == 117
    canonical = [canonical_name(name) for name in TOTAL]
    assert len(set(canonical)) == 117
    for name, found in zip(TOTAL, canonical, strict=True):
        assert known_structure(name) is not None, name
        side = next((side for side in ("left", "right") if f"_{side}" in name), "")
        assert side in found
