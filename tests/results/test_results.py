"""Statistics and tables: what is averaged, what is refused, and the exact text."""

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from PIL import Image

from ddbench.results.mosaics import save_overview, set_mosaic
from ddbench.results.statistics import Position, estimate
from ddbench.results.tables import CaptionFacts, as_csv, as_json, as_text, blocks, latex, markdown, parquet, rows
from ddbench.types import LabeledImages
from tests.support.records import cell, record


def tables(records, select="last", wanted=None):
    cells = {r.cell: r.key for r in records} if wanted is None else {c: str(c) for c in wanted}
    return blocks(estimate(cells, records, select), select)


def only(records, **kw):
    (block,) = tables(records, **kw)
    (value,) = block.estimates.values()
    return value


def test_classifiers_are_averaged_first_and_the_spread_is_that_of_distilled_sets():
    records = [record(cell(seed=s, eval_seed=e), a) for s, e, a in [(0, 0, 0.5), (0, 1, 0.7), (1, 0, 0.8), (1, 1, 1.0)]]
    value = only(records)
    assert value.mean == pytest.approx(0.75)
    assert value.sd == pytest.approx(0.3 / 2**0.5)  # of 0.6 and 0.9
    assert (value.sets, value.classifiers) == (2, 2)


def test_a_single_distilled_set_has_no_spread():
    value = only([record(cell(), 0.5)])
    assert value.sd is None
    assert as_text(value) == "50.0"


def test_best_is_the_top_of_the_curve_and_last_its_end():
    records = [record(cell(), 0.5, best=0.9)]
    assert only(records).mean == 0.5
    assert only(records, select="best").mean == 0.9


@pytest.mark.parametrize(
    ("outcomes", "text"),
    [
        (["ok", "failed", "ok"], "(1 failed of 3)"),
        (["ok", "out_of_memory", "out_of_memory"], "(2 out of memory of 3)"),
        (["ok", None, "ok"], "(1 missing of 3)"),
    ],
)
def test_an_incomplete_position_has_no_mean(outcomes, text):
    cells = [cell(seed=s) for s in range(3)]
    records = [record(c, 0.5, outcome=o) for c, o in zip(cells, outcomes, strict=True) if o]
    value = only(records, wanted=cells)
    assert value.mean is None
    assert as_text(value) == text


def test_cells_of_different_configurations_are_not_averaged():
    assert only([record(cell(seed=s), 0.5, variant="a") for s in (0, 1)]).mean == 0.5
    mixed = [record(cell(seed=s), 0.5, variant="ab"[s]) for s in (0, 1)]
    assert as_text(only(mixed)) == "(mixed configurations)"


def test_splits_and_protocols_are_never_one_table():
    records = [record(cell(split=s, protocol=p), 0.5) for s in ("a", "b") for p in ("p@1", "q@1")]
    assert [(b.split, b.protocol) for b in tables(records)] == [("a", "p@1"), ("a", "q@1"), ("b", "p@1"), ("b", "q@1")]


def example():
    accuracies = {"random": (0.5, 0.52), "<dm>": (0.61, 0.59), "a_b": (0.7, 0.7)}
    records = [record(cell(m, seed=s, ipc=10), a) for m, pair in accuracies.items() for s, a in enumerate(pair)]
    return records + [record(cell("random", seed=s, ipc=1), 0.25) for s in (0, 1)]


def test_markdown_is_exactly_this():
    assert markdown(tables(example())) == (
        "| dataset | arch | IPC | random | &lt;dm&gt; | a_b |\n"
        "|---|---|--:|--:|--:|--:|\n"
        "| d | net | 1 | 25.0 ± 0.0 | – | – |\n"
        "| d | net | 10 | 51.0 ± 1.4 | <u>60.0 ± 1.4</u> | **70.0 ± 0.0** |\n"
        "\n"
        "Top-1 accuracy (%) at the last epoch: mean ± sample standard deviation over distilled sets "
        "(n = 2 distilled sets, 1 classifier each). Split s/test, protocol p@1.\n"
    )


def test_latex_escapes_names_and_marks_best_and_second():
    text = latex(tables(example()))
    assert r"a\_b" in text
    assert r"d & net & 10 & 51.0 $\pm$ 1.4 & \underline{60.0 $\pm$ 1.4} & \textbf{70.0 $\pm$ 0.0} \\" in text
    assert text.count(r"\begin") == text.count(r"\end")


def test_latex_is_exactly_this():
    assert latex(tables([record(cell(m, seed=s), 0.5) for m in ("a", "b") for s in (0, 1)])) == (
        "\\begin{table}\n"
        "\\centering\n"
        "\\caption{Top-1 accuracy (\\%) at the last epoch: mean $\\pm$ sample standard deviation over distilled sets "
        "(n = 2 distilled sets, 1 classifier each). Split s/test, protocol p@1.}\n"
        "\\begin{tabular}{llrcc}\n"
        "\\toprule\n"
        "Dataset & Model & IPC & a & b \\\\\n"
        "\\midrule\n"
        "d & net & 1 & \\textbf{50.0 $\\pm$ 0.0} & \\textbf{50.0 $\\pm$ 0.0} \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
        "\\end{table}\n"
    )


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="there is no pdflatex")
def test_latex_compiles_whatever_names_are(tmp_path):
    awkward = [record(cell(m, seed=s, dataset="a&b%c#d"), 0.5) for m in ("x_y^z~", "{<w>}\\$") for s in (0, 1)]
    document = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n%s\\end{document}\n"
    (tmp_path / "t.tex").write_text(document % latex(tables(awkward)))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-1000:]


def test_parquet_holds_what_csv_holds():
    import pyarrow.parquet as pq

    assert pq.read_table(io.BytesIO(parquet(tables(example())))).to_pylist() == rows(tables(example()))


def test_the_caption_says_what_classifiers_learn_from_and_who_knows_more():
    facts = CaptionFacts({"p@1": "teacher"}, {"m": "other data", "n": "other data", "o": ""})
    cells = {cell(m): str(cell(m)) for m in "mno"}
    (block,) = blocks(estimate(cells, [record(c, 0.5) for c in cells], "last"), "last", facts)
    assert block.caption().endswith(
        "Split s/test, protocol p@1 (soft labels of a pretrained teacher: external knowledge). "
        "External knowledge of methods: m, n: other data."
    )


def test_judges_that_differ_from_their_sources_are_marked():
    facts = CaptionFacts(judges={("s/test", "p@1"): {"p@1": ["reported epoch"], "net": ["initial weights"]}})
    (block,) = blocks(estimate({cell(): str(cell())}, [record(cell(), 0.5)], "last"), "last", facts)
    assert "| d | net* |" in markdown([block])
    assert "protocol p@1*. Judges with * differ from their sources (`bench info NAME`): p@1 in reported epoch; " in (
        block.caption()
    )
    assert facts.arch("net", "s/test", "p@2") == "net"


def test_the_interval_stands_where_it_is_asked_for():
    cells = [cell(seed=s) for s in range(3)]
    records = [record(c, a) for c, a in zip(cells, (0.5, 0.6, 0.7), strict=True)]
    (block,) = blocks(estimate({c: str(c) for c in cells}, records, "last"), "last", spread="ci")
    assert "| d | net | 1 | 60.0 ± 24.8 |" in markdown([block])  # 4.303 * 10 / sqrt(3)
    assert "mean ± half of the 95 % t interval over distilled sets (n = 3" in block.caption()


def test_csv_and_json_hold_fractions_and_agree():
    found = list(csv.DictReader(io.StringIO(as_csv(tables(example())))))
    parsed = json.loads(as_json(tables(example())))
    assert [float(r["top1_mean"]) for r in found] == [r["top1_mean"] for r in parsed]
    assert parsed[1]["top1_mean"] == pytest.approx(0.51)
    assert list(csv.reader(io.StringIO(as_csv([])))) == [["dataset"]]


def test_the_caption_warns_of_the_best_epoch():
    (block,) = tables([record(cell(), 0.5)], select="best")
    assert "at the best epoch, chosen on these images (optimistic)" in block.caption()


def test_equal_numbers_share_their_mark():
    records = [record(cell(m, seed=s), a) for m, a in {"x": 0.7, "y": 0.70004, "z": 0.5}.items() for s in (0, 1)]
    (block,) = tables(records)
    assert block.marks(block.rows[0]) == {"x": "best", "y": "best", "z": "second"}


def test_positions_keep_the_order_of_the_run():
    order = [cell("z"), cell("a"), cell("m")]
    found = estimate({c: str(c) for c in order}, [], "last")
    assert list(found) == [Position.of(c) for c in order]


def test_a_grid_shows_every_image_in_its_place(tmp_path: Path):
    pixels = torch.arange(6, dtype=torch.uint8).view(6, 1, 1, 1).expand(6, 1, 8, 8) * 40
    data = LabeledImages(images=pixels.contiguous(), labels=torch.tensor([0, 0, 0, 1, 1, 1]), classes=("a", "b"))
    image = set_mosaic(data)
    assert image.size == (3 * 34 + 2, 2 * 34 + 2)
    assert [image.getpixel((2 + 34 * j + 16, 2 + 34 * i + 16)) for i in (0, 1) for j in (0, 1, 2)] == [
        0,
        40,
        80,
        120,
        160,
        200,
    ]
    save_overview(tmp_path / "o.png", {"m": data, "n": data}, "title")
    assert Image.open(tmp_path / "o.png").size[0] > 200
