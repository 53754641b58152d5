"""Published numbers: kept whole, told as they are, and held beside measurements of their own kind alone."""

import json

import pytest

from ddbench.results.published import EVIDENCE, PAPERS, Published, load_published, of_place, verdict
from ddbench.results.statistics import Estimate, Position
from ddbench.results.tables import Facts, markdown
from ddbench.results.tables.published import beside_tables, paper_tables
from tests.support.invoke import invoke
from tests.support.records import cell, hexkey, record, sampled, stored

PLACE = Position("imagewoof", "ilsvrc/test", "minimax-sgd@2", "convnet6", 10, "minimax")


def of_paper(paper):
    return [value for value in load_published() if value.paper == paper]


def test_every_value_is_a_fraction_with_a_known_paper_and_grade():
    found = load_published()
    assert len(found) == 191
    assert all(0 < v.top1 < 1 and (v.std is None or 0 < v.std < 0.1) for v in found)
    assert {v.paper for v in found} == set(PAPERS) and {v.evidence for v in found} <= set(EVIDENCE)
    assert {v.labels for v in found} == {"hard", "soft"} and all(v.source for v in found)


def test_where_papers_disagree_all_values_are_kept():
    found = {(v.protocol, v.inferred, v.text) for v in of_place(PLACE, load_published())}
    assert found == {("minimax-sgd", False, "37.0 ± 1.0"), ("igd-adamw", True, "33.5")}


def test_the_main_table_of_the_paper_is_exactly_this():
    main, imagenet = paper_tables(of_paper("rsm-cgs"))
    assert markdown([main]) == (
        "| dataset | arch | IPC | random | dm | dit | minimax | rsm | rsm_cgs |\n"
        "|---|---|--:|--:|--:|--:|--:|--:|--:|\n"
        "| imagenette | convnet6 | 10 | 46.0 | 49.8 | 56.2 | 58.2 | <u>62.4</u> | **65.5** |\n"
        "| imagenette | convnet6 | 50 | 71.8 | 70.3 | 74.1 | 76.9 | <u>79.0</u> | **82.7** |\n"
        "| imagenette | convnet6 | 100 | – | – | – | – | – | 86.7 ± 0.6 † |\n"
        "| imagenette | resnet18 | 10 | 55.8 | 60.9 | 62.5 | 64.9 | <u>67.2</u> | **68.7** |\n"
        "| imagewoof | convnet6 | 10 | 25.2 | 27.6 | 32.3 | 33.5 | <u>35.8</u> | **38.2** |\n"
        "| imagewoof | resnet18 | 100 | – | – | – | – | – | 72.5 ± 0.8 † |\n"
        "\n"
        "Published top-1 accuracy (%), none of it measured here. Mitigating The Distribution Shift of Diffusion-based "
        "Dataset Distillation (CVPR 2026): from a transcript of the paper's table; † from a third party; verify before "
        "quoting. Protocol igd-adamw, not stated in the paper but inferred, hard labels; the best epoch by the judged "
        "images. Split ilsvrc/test.\n"
    )
    assert [row[2].text for row in imagenet.rows] == ["10", "50"]


def test_the_upper_row_of_a_paper_repeats():
    (woof,) = (t for t in paper_tables(of_paper("minimax")) if t.rows[0][0].text == "imagewoof")
    assert woof.columns[-1].title == "full"
    assert {row[-1].text for row in woof.rows if row[1].text == "resnet18"} == {"89.3 ± 1.2"}
    assert all(row[-1].mark == "" for row in woof.rows)


def test_the_command_prints_the_main_table_and_other_papers():
    assert invoke("published").stdout.startswith(
        "| dataset | arch | IPC | random | dm | dit | minimax | rsm | rsm_cgs |"
    )
    found = json.loads(invoke("published", "mgd3", "--format", "json").stdout)
    assert {row["paper"] for row in found} == {"mgd3"} and found[0]["top1"] == 0.347
    assert invoke("published", "mgd4").returncode == 2


def published(top1=0.37, protocol="minimax-sgd"):
    return Published("p", *("imagewoof", "convnet6"), 10, "minimax", top1, None, protocol, False, "hard", "paper", "s")


def measured(mean=0.36, sd=0.01, sets=3, note=""):
    return Estimate(mean, sd, sets=sets, classifiers=1, cells=sets, ok=sets, note=note)


@pytest.mark.parametrize(
    ("value", "position", "estimate", "expected"),
    [
        (published(), PLACE, measured(), "reproduced"),  # 36 +- 4.30 * 1 / sqrt(3) = 33.5 to 38.5
        (published(0.39), PLACE, measured(), "outside the interval"),
        (published(), PLACE, None, "not run"),
        (published(), PLACE, measured(sd=None, sets=1), "single set, no interval"),
        (published(), PLACE, measured(mean=None, sd=None, note="1 failed of 3"), "1 failed of 3"),
        (published(protocol="igd-adamw"), PLACE, measured(), "other protocol"),
    ],
)
def test_the_verdict(value, position, estimate, expected):
    assert verdict(value, position, estimate) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"split": "fastai/test"}, "other split"),
        ({"split": "ilsvrc/validation"}, "other split"),
        ({"protocol": "minimax-sgd@1"}, "other protocol"),
        ({"protocol": "minimax-sgd@2[lr=0.1]"}, "other protocol"),
    ],
)
def test_another_split_or_version_says_nothing_of_a_published_value(change, expected):
    assert verdict(published(), Position(**{**vars(PLACE), **change}), measured()) == expected


def woof(method, accuracies, protocol="minimax-sgd@2", **kw):
    place = {"dataset": "imagewoof", "split": "ilsvrc/test", "arch": "convnet6", "ipc": 10, "protocol": protocol, **kw}
    return [record(cell(method, seed=s, **place), a) for s, a in enumerate(accuracies)]


def test_published_beside_measured_is_exactly_this():
    records = [*woof("minimax", (0.35, 0.36, 0.37)), *woof("rsm", (0.4, 0.5)), *woof("mine", (0.5,))]
    values = [v for v in load_published() if v.ipc == 10 and v.arch == "convnet6" and v.dataset == "imagewoof"]
    values = [v for v in values if v.method in ("dit", "minimax", "rsm")]
    assert markdown(beside_tables(sampled(records), values, Facts({"minimax-sgd@2": "hard"}))) == (
        "| dataset | arch | IPC | method | published | measured | difference | verdict | source |\n"
        "|---|---|--:|---|--:|--:|--:|---|---|\n"
        "| imagewoof | convnet6 | 10 | dit | 34.2 ± 1.1 (minimax-sgd) | – | – | not run | Gu et al., CVPR 2024 "
        "(Minimax), "
        "ImageWoof results figure |\n"
        "| imagewoof | convnet6 | 10 | dit | 32.3 (igd-adamw?) | – | – | not run | Mitigating The Distribution Shift "
        "of "
        "Diffusion-based Dataset Distillation (CVPR 2026), main table |\n"
        "| imagewoof | convnet6 | 10 | minimax | 37.0 ± 1.0 (minimax-sgd) | 36.0 ± 1.0 | −1.0 | reproduced | Gu et "
        "al., "
        "CVPR 2024 (Minimax), ImageWoof results figure |\n"
        "| imagewoof | convnet6 | 10 | minimax | 33.5 (igd-adamw?) | 36.0 ± 1.0 | – | other protocol (minimax-sgd@2, "
        "ilsvrc/test) | Mitigating The Distribution Shift of Diffusion-based Dataset Distillation (CVPR 2026), main "
        "table |\n"
        "| imagewoof | convnet6 | 10 | rsm | 35.8 (igd-adamw?) | 45.0 ± 7.1 | – | other protocol (minimax-sgd@2, "
        "ilsvrc/test) | Mitigating The Distribution Shift of Diffusion-based Dataset Distillation (CVPR 2026), main "
        "table |\n"
        "| imagewoof | convnet6 | 10 | mine | – | 50.0 | – | not published | – |\n"
        "\n"
        "Published and measured top-1 accuracy (%). Published: the best epoch by the judged images, ± as each paper "
        "has "
        "it, split ilsvrc/test, protocol in brackets (? inferred), † from a third party. Measured: at the last "
        "epoch, mean "
        "± sample standard deviation over distilled sets; protocols minimax-sgd@2 (hard labels). Reproduced: the "
        "published "
        "value lies in the 95 % t interval of the measured mean, under the same protocol and split.\n"
    )


def test_of_two_measurements_that_of_the_published_kind_counts():
    records = [*woof("minimax", (0.3, 0.3, 0.3), split="fastai/test"), *woof("minimax", (0.2, 0.21, 0.2))]
    (table,) = beside_tables(sampled(records), [published()], Facts())
    assert [row[7].text for row in table.rows] == ["outside the interval"]


def test_the_command_holds_measured_beside_published(tmp_path):
    records = [record(r.cell, r.last, key=hexkey(i)) for i, r in enumerate(woof("minimax", (0.35, 0.36, 0.37)))]
    stored(tmp_path / "s", records)
    found = json.loads(invoke("table", "--store", tmp_path / "s", "--published", "--format", "json").stdout)
    (ours,) = (row for row in found if row["verdict"] == "reproduced")
    assert (ours["method"], ours["published_top1"], ours["evidence"]) == ("minimax", 0.37, "paper-figure")
    assert sum(row["verdict"] == "not run" for row in found) == len(found) - 2
