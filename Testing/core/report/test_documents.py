"""The report of a run, as HTML and PDF, holds what the run found, and is written again from the record alone."""

import csv
import html
import json
import re
import shutil

import pytest
from pypdf import PdfReader

from RPTDosimetryLib.errors import DosimetryError, ReportError
from RPTDosimetryLib.report.document import (
    Document,
    Figure,
    Heading,
    Items,
    KeyValues,
    Notice,
    PageBreak,
    Paragraph,
    Table,
    figure_text,
    with_error,
)
from RPTDosimetryLib.report.documents import document_of, report_of_record
from RPTDosimetryLib.report.html_writer import html_of, write_html
from RPTDosimetryLib.report.pdf_writer import write_pdf
from RPTDosimetryLib.report.provenance import sha256_of
from RPTDosimetryLib.report.run_record import read_run_record
from RPTDosimetryLib.report.sections.checklist import ITEMS

A4_POINTS = (210 / 25.4 * 72, 297 / 25.4 * 72)


def text_of(pdf):
    return "\n".join(page.extract_text() for page in PdfReader(pdf).pages)


def spoil(folder, change):
    """Change the record of a run."""
    path = folder / "provenance.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    change(told)
    path.write_text(json.dumps(told), encoding="utf-8")


def test_every_page_is_a4_and_says_who_what_it_is_not_and_its_number(finished):
    pages = PdfReader(finished[1] / "report.pdf").pages
    for number, page in enumerate(pages, start=1):
        assert (float(page.mediabox.width), float(page.mediabox.height)) == pytest.approx(A4_POINTS, abs=0.1)
        text = page.extract_text()
        for word in ("Müller, Łucja", "ID-4711", "not a medical device", f"Page {number} of {len(pages)}"):
            assert word in text
        assert "CONTOURS NOT REVIEWED" in text


def test_both_say_every_dose_of_the_table_with_its_error(finished):
    page = html.unescape((finished[1] / "report.html").read_text(encoding="utf-8"))
    paper = re.sub(r"\s+", " ", text_of(finished[1] / "report.pdf"))
    with (finished[1] / "organ_doses.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["kidney_left", "lesion_1", "body"]
    for row in rows:
        told = with_error(float(row["mean_gy"]), float(row["mean_u_gy"]))
        assert "±" in told
        assert told in page
        assert told in paper


def test_every_section_is_there_and_nothing_is_loaded_from_elsewhere(finished):
    page = (finished[1] / "report.html").read_text(encoding="utf-8")
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    assert titles == [
        *("Patient and administration", "Result", "Absorbed dose", "Volumes of interest", "Images", "Calibration"),
        *("Registration", "Kinetics", "Radiobiology and limits", "Uncertainty", "Radiation protection", "Comparison"),
        *("Assumptions, warnings and changes", "EANM reporting checklist", "Record"),
    ]
    assert re.findall(r"""(?:src|href)=["'](?!data:)""", page) == []
    assert "url(" not in page
    assert page.count("data:image/png;base64,") == 4  # overlay, DVH, one alignment, curves


def test_missing_tags_are_said(finished):
    page = (finished[1] / "report.html").read_text(encoding="utf-8")
    assert re.search(r"<th>Height \[m\]</th><td>missing in the images</td>", page)
    assert re.search(r"<th>Weight \[kg\]</th><td>71.5</td>", page)
    assert '<td class="words">not given: the images do not state it</td>' in page


def test_each_item_of_the_checklist_is_answered_or_not_given(finished):
    record = read_run_record(finished[1])
    titles = {block.text for block in document_of(record).blocks if isinstance(block, Heading)}
    assert len({item.text for item in ITEMS}) == len(ITEMS) == 37
    for item in ITEMS:
        answer = item.answer(record)
        known = answer.startswith(("not given", "not applicable")) or any(title in answer for title in titles)
        assert known, f"{item.text}: {answer}"


def test_the_record_alone_gives_the_same_documents(results, tmp_path):
    before = {name: sha256_of(results / name) for name in ("report.html", "report.pdf")}
    for name in before:
        (results / name).unlink()
    report_of_record(results / "provenance.json")
    assert {name: sha256_of(results / name) for name in before} == before
    report_of_record(results, tmp_path / "elsewhere")
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == sorted(before)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (lambda folder: (folder / "dvh.png").write_bytes(b"no"), "dvh.png is no longer what the run wrote"),
        (lambda folder: (folder / "tia_bq_s.nrrd").unlink(), "tia_bq_s.nrrd is missing"),
        (lambda folder: (folder / "provenance.json").write_text("{"), "is not JSON"),
        (lambda folder: (folder / "provenance.json").unlink(), "cannot be read"),
        (lambda folder: (folder / "provenance.json").write_text("[]"), "not the record of a run"),
        (lambda folder: spoil(folder, lambda told: told.pop("record_format")), "which reads format"),
        (lambda folder: spoil(folder, lambda told: told.update(record_format=99)), "in record format 99"),
        (lambda folder: spoil(folder, lambda told: told["steps"].pop("tia")), "lacks what"),
        (
            lambda folder: spoil(folder, lambda told: told["outputs_sha256"].pop("curves.png")),
            "knows no file curves.png",
        ),
    ],
    ids=["changed", "missing", "broken", "no record", "no object", "old", "newer", "no step", "file unknown"],
)
def test_a_spoiled_run_is_one_clear_error_and_nothing_is_written(results, tmp_path, what, said):
    what(results)
    with pytest.raises(ReportError, match=said):
        report_of_record(results, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".writing")] == []


def test_a_record_of_another_version_is_used_and_the_report_says_so(results, tmp_path):
    spoil(results, lambda told: told["versions"].update(SlicerRPTDosimetry="0.0.9"))
    answer = report_of_record(results, tmp_path / "out")
    assert "Computed by version 0.0.9" in answer["warnings"][0]
    assert "Computed by version 0.0.9" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_target_that_is_a_file_is_refused(results, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DosimetryError, match="is a file"):
        report_of_record(results, tmp_path / "file")


def document(**more):
    parts = {
        "title": "T",
        "patient": "P",
        "written": "W",
        "disclaimer": "D",
        "blocks": (Paragraph("text"),),
    }
    return Document(**(parts | more))


@pytest.mark.parametrize(
    "name", ["Ærøskøbing^Łódź", "山田^太郎", "やまだ^たろう", "김^철수", "Иванов^Иван", "שלום", "محمد", "Ω≈ç√∫±λ½"]
)
def test_names_of_any_script_are_on_the_page(tmp_path, name):
    write_pdf(document(patient=name, blocks=(KeyValues((("name", name),)),)), tmp_path / "r.pdf")
    text = PdfReader(tmp_path / "r.pdf").pages[0].extract_text()
    letters = {letter for letter in name if letter.isalpha()}
    assert {letter for letter in letters if letter not in text} == set()
    assert "[U+" not in text
    assert html.escape(name) in html_of(document(patient=name))


def test_a_letter_without_a_font_is_told_by_its_number(tmp_path):
    write_pdf(document(blocks=(Paragraph("a \U0001f9ec b"),)), tmp_path / "r.pdf")
    assert "a [U+1F9EC] b" in PdfReader(tmp_path / "r.pdf").pages[0].extract_text()


def test_markup_in_names_is_text(tmp_path):
    bad = "<b>&</b></style><script>alert(1)</script>\\"
    page = html_of(document(patient=bad, title=bad, notice=bad, blocks=(Paragraph(bad), Notice(bad))))
    assert "<script>" not in page
    assert page.count("</style>") == 1
    write_pdf(document(patient=bad, blocks=(Paragraph(bad),)), tmp_path / "r.pdf")
    assert "<b>&</b>" in PdfReader(tmp_path / "r.pdf").pages[0].extract_text()


def test_a_very_long_word_stays_inside_the_margins_and_long_tables_repeat_their_titles(tmp_path, finished):
    word = "x" * 700
    rows = tuple((f"row {n}", word[:90], f"{n}") for n in range(150))
    blocks = (
        *(Heading("H"), Paragraph(word), Items((word,)), KeyValues(((word[:60], word),))),
        *(Table(("name of it", "long", "figure"), rows, "caption"), PageBreak()),
        *(Figure(finished[1] / "dvh.png", word), Notice(word)),
    )
    write_pdf(document(patient=word, title="T", blocks=blocks), tmp_path / "r.pdf")
    pages = PdfReader(tmp_path / "r.pdf").pages
    assert len(pages) > 5
    assert all("name of it" in page.extract_text() for page in pages[1:-2])
    for page in pages:
        places = []

        def place(text, cm, tm, *_rest, places=places):
            if text.strip():
                places.append(cm[0] * tm[4] + cm[4])

        page.extract_text(visitor_text=place)
        assert 14 / 25.4 * 72 < min(places) < max(places) < 196 / 25.4 * 72
    write_html(document(patient=word, blocks=blocks), tmp_path / "r.html")


def test_figures_are_rounded_to_their_error():
    assert with_error(3.10100916, 0.2772) == "3.10 ± 0.28"
    assert with_error(22650.3, 151.0) == "22650 ± 151"
    assert with_error(0.111, None) == "0.111"
    assert with_error(None, 0.1) == "–"
    assert figure_text(25736.2) == "25736"
    assert figure_text(1.2345678e9) == "1.235e+09"


def test_names_longer_than_dicom_allows_are_cut_and_it_is_said(long_named):
    record = json.loads((long_named / "provenance.json").read_text(encoding="utf-8"))
    assert any("PatientName has more than the 64 characters" in text for text in record["warnings"])
    assert record["patient"]["attributes"]["PatientName"] == ("Long-" * 13)[:64] + "=" + "山" * 64
    assert "Long-" * 12 in text_of(long_named / "report.pdf").replace("\n", "")


def test_a_record_in_a_folder_of_its_own_has_no_files(finished, tmp_path):
    shutil.copy(finished[1] / "provenance.json", tmp_path)
    with pytest.raises(ReportError, match="is missing: put it back"):
        report_of_record(tmp_path / "provenance.json")


def test_a_dose_that_a_network_corrected_names_model_guard_and_error(finished, tmp_path):
    folder = tmp_path / "results"
    shutil.copytree(finished[1], folder)
    card = {"name": "default", "network": "linear_kernel", "made": "2026-11-27", "licence": "Apache-2.0",
            "figures": {"voi_percent": 0.31, "msv_voi_percent": 3.23}}  # fmt: skip
    guard = {"verdict": "outside", "reasons": ["share of bone is 0.07"], "features": {}}

    def hybrid(told):
        told["steps"]["dose"]["parameters"] = {"model": card, "guard": guard, "fell_back": True}

    spoil(folder, hybrid)
    page = html.unescape(html_of(document_of(read_run_record(folder))))
    assert "model default (linear_kernel), made 2026-11-27; licence Apache-2.0" in page
    assert "in patients left out of its training: 0.31 %, MSV-8 3.23 %" in page
    assert "patient outside training; the network was not used, the dose is MSV-8 (share of bone is 0.07)" in page
