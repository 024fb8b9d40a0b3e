"""The whole page."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from chemores_dask.errors import MissingVariableError, ParameterError
from chemores_dask.report.document import check_sections, write_report
from chemores_dask.workflow.record import ClaimOutcome, Section
from tests.figures import examples_of_results as examples
from tests.report.example_run import example_record, example_results
from tests.report.page_reading import read_page

HOSTILE = "<script>alert(1)</script>\"'&"
BROWSER_FLAGS = (
    "headless",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "hide-scrollbars",
    "disable-dev-shm-usage",
    "enable-logging=stderr",
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    return write_report(
        example_record(), example_results(), path=tmp_path_factory.mktemp("report") / "deep" / "report.html"
    )


def test_write_report__is_one_page_that_needs_nothing(report):
    page = read_page(report)
    source = report.read_text(encoding="utf-8").lower()
    assert "<script" not in source
    assert "http://" not in source
    assert "https://" not in source
    assert all(value.startswith("data:image/png;base64,") for value in page.values("src"))
    assert all(value.startswith("#") for value in page.values("href"))
    assert "link" not in page.tags
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


def test_write_report__says_how_good_approximations_are(report):
    text = " ".join(read_page(report).text.split())
    assert "0.962 (0.958 to 0.966) of the 15 nearest neighbors" in text
    assert "trustworthiness of 0.963 (0.961 to 0.965)" in text


def test_write_report__holds_all_figures_and_they_decode(report):
    page = read_page(report)
    wanted = 2 + sum(len(section.figures) for section in example_record().sections)
    assert len(page.images()) == wanted
    for image in page.images():
        assert min(imread(BytesIO(image), format="png").shape[:2]) > 100
    assert all(len(text) > 20 for text in page.values("alt"))


def test_write_report__contents_lead_to_sections(report):
    page = read_page(report)
    targets = page.values("id")
    assert [link.removeprefix("#") for link in page.values("href")] == targets
    assert len(set(targets)) == len(targets) == 6 + len(example_record().sections)


def test_write_report__says_what_a_reader_needs(report):
    text = read_page(report).text
    for expected in (
        "Stem-like cells from diagnosis to relapse",
        "1 of 2 claims hold",
        "✗ does not hold",
        "n = 120 patients",
        "log-rank test",
        "Statements about cells are descriptive",
        "Peak memory",
        "2 of 17 genes are not in the data",
        "The score was cut at its median",
        "First 10 of 500",
    ):
        assert expected in text


def test_write_report__is_the_same_every_time(report, tmp_path):
    again = write_report(example_record(), example_results(), path=tmp_path / "again.html")
    assert again.read_bytes() == report.read_bytes()


def test_write_report__escapes_every_name(tmp_path):
    stage = np.array([f"{HOSTILE}-a", f"{HOSTILE}-b"] * 3, dtype=object)
    cube = examples.cube_result().assign_coords(
        sample=[f"{HOSTILE}{n}" for n in range(6)], state=[f"{HOSTILE}0", f"{HOSTILE}1"], stage=("sample", stage)
    )
    scan = examples.scan_result().assign_coords(gene=[f"{HOSTILE}{n}" for n in range(500)])
    scan["cox_p_value"].attrs = {"units": HOSTILE, "long_name": HOSTILE}
    scan[HOSTILE] = ("gene", np.arange(500.0))
    record = example_record()
    step = replace(
        record.steps[0],
        parameters={HOSTILE: HOSTILE},
        inputs={HOSTILE: HOSTILE},
        warnings=(HOSTILE,),
        fingerprint=HOSTILE,
    )
    steps = (
        replace(step, name="cube", analysis="cohort_cube"),
        replace(step, name="scan", analysis="cox_scan"),
        replace(step, name=HOSTILE),
    )
    sections = (
        Section(
            HOSTILE,
            HOSTILE,
            figures=(
                {"kind": "composition_bars", "step": "cube", "caption": HOSTILE},
                {"kind": "volcano", "step": "scan", "caption": HOSTILE},
            ),
            tables=(
                {"step": "cube", "variables": ["cube_cells"], "caption": HOSTILE},
                {"step": "scan", "variables": ["cox_p_value", HOSTILE], "caption": HOSTILE, "sort": HOSTILE},
            ),
        ),
    )
    hostile = replace(
        record,
        **dict.fromkeys(("pipeline", "title", "description", "store", "started", "finished", "host"), HOSTILE),
        inputs={HOSTILE: HOSTILE},
        versions={HOSTILE: HOSTILE, "chemores_dask": HOSTILE},
        claims=(ClaimOutcome(HOSTILE, HOSTILE, 1.0, 0.0, 2.0, 1.0, HOSTILE, HOSTILE),),
        steps=steps,
        sections=sections,
    )
    path = write_report(hostile, {"cube": cube, "scan": scan, HOSTILE: scan}, path=tmp_path / "report.html")
    page = read_page(path)
    assert "script" not in page.tags
    assert "<script" not in path.read_text(encoding="utf-8")
    assert page.text.count("<script>alert(1)</script>") > 40
    assert set(page.tags) == set(read_page(path.read_text(encoding="utf-8").replace(HOSTILE, "x")).tags)


@pytest.mark.parametrize(
    ("section", "error", "match"),
    [
        (Section("Part", figures=({"kind": "pie", "step": "pca"},)), ParameterError, "kind of a figure"),
        (
            Section("Part", figures=({"kind": "volcano", "step": "survival_scan", "size": 2},)),
            ParameterError,
            "no option 'size'",
        ),
        (Section("Part", tables=({"step": "none"},)), ParameterError, "must name a step"),
        (Section("Part", tables=({"step": "pca", "variables": ["x"]},)), MissingVariableError, "'x'"),
        (
            Section("Part", figures=({"kind": "embedding_map", "step": "pca", "color": "site"},)),
            MissingVariableError,
            "site",
        ),
    ],
)
def test_write_report__refuses_before_writing(section, error, match, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("kept")
    with pytest.raises(error, match=match) as caught:
        write_report(replace(example_record(), sections=(section,)), example_results(), path=path)
    assert "In the section 'Part'" in caught.value.__notes__[0]
    assert path.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [path]


def test_write_report__leaves_no_half_page(tmp_path, monkeypatch):
    def fail(self: Path, target: Path) -> None:
        message = "disk full"
        raise OSError(message)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(replace(example_record(), sections=()), {}, path=tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_write_report__takes_a_run_of_nothing(tmp_path):
    record = replace(example_record(), steps=(), claims=(), sections=(), inputs={}, versions={}, description="")
    page = read_page(write_report(record, {}, path=tmp_path / "report.html"))
    assert "makes no claims" in page.text


def test_write_report__draws_lazy_results(tmp_path):
    results = {name: result.chunk() for name, result in example_results().items()}
    page = read_page(write_report(example_record(), results, path=tmp_path / "report.html"))
    assert len(page.images()) == 15


def test_write_report__shows_claims_without_a_value(tmp_path):
    claim = ClaimOutcome("c", "published", 1.0, -np.inf, np.inf, np.nan, "s", "v")
    record = replace(example_record(), claims=(claim,), sections=())
    page = read_page(write_report(record, {}, path=tmp_path / "report.html"))
    assert "−∞ to ∞" in page.text
    assert "not available" in page.text
    assert "✗ does not hold" in page.text


def test_check_sections__needs_no_results():
    check_sections(example_record().sections, analyses={step.name: step.analysis for step in example_record().steps})
    with pytest.raises(ParameterError, match="Did you mean pca"):
        check_sections(
            (Section("x", figures=({"kind": "variance_explained", "step": "pcaa"},)),), analyses={"pca": "pca"}
        )


@pytest.mark.parametrize("width", [1280, 420])
def test_write_report__opens_in_a_browser(report, tmp_path, width):
    if CHROMIUM is None:
        pytest.skip("needs Chromium to open the page (install chromium)")
    picture = tmp_path / "page.png"
    flags = [f"--{flag}" for flag in BROWSER_FLAGS]
    places = [f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}", f"--window-size={width},2400"]
    done = subprocess.run(
        [CHROMIUM, *flags, *places, report.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    assert "CONSOLE" not in done.stderr
    pixels = imread(picture)[..., :3]
    assert pixels.shape[:2] == (2400, width)
    assert len(np.unique((pixels[::4, ::4] * 255).astype(np.uint8).reshape(-1, 3), axis=0)) > 50
    # Nothing runs off to the right: the last columns are the page's white margin.
    assert np.all(pixels[:, -6:] > 0.9)
