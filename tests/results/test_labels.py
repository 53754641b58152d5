"""The table of labels: DD-Ranking's scores by hand, and rows under hard and soft labels side by side. Exact text."""

import math

import pytest

from ddbench.errors import BenchError
from ddbench.results.cost import SetFacts
from ddbench.results.scores import augmentation_robust, augments, label_robust
from ddbench.results.tables import CaptionFacts, markdown, rows
from ddbench.results.tables.labels import label_tables
from tests.support.records import cell, record, sampled

FACTS = CaptionFacts({"h@1": "hard", "t@1": "teacher", "t@1[shift=0]": "teacher"})
SHIFTED, PLAIN = {"protocol": {"shift": 0.1}}, {"protocol": {"shift": 0.0}}


def by_hand(value):
    return (math.exp(value) - math.exp(-1)) / (math.exp(1) - math.exp(-1))


def test_the_scores_are_the_formulas_on_fractions():
    assert label_robust(0.5, 0.9, 0.6, 0.55) == pytest.approx(by_hand(0.5 * 0.05 - 0.5 * 0.4))
    assert label_robust(0.5, 0.9, 0.6, 0.55, weight=1) == pytest.approx(by_hand(0.05))
    assert augmentation_robust(0.6, 0.5, 0.4, 0.45) == pytest.approx(by_hand(0.5 * 0.1 - 0.5 * 0.05))
    assert label_robust(0, 1, 0, 1) == pytest.approx(0)  # the worst
    assert label_robust(1, 0, 1, 0) == pytest.approx(1)  # the best


def test_as_good_as_real_and_no_better_than_random_is_the_middle_of_the_scale():
    assert label_robust(0.9, 0.9, 0.5, 0.5) == pytest.approx((1 - math.exp(-1)) / (math.e - math.exp(-1)))
    assert round(label_robust(0.9, 0.9, 0.5, 0.5), 2) == 0.27


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ({}, False),
        ({"shift": 0.0, "cutmix": False, "siamese": "", "augmentation": None}, False),
        ({"shift": 0.06}, True),
        ({"cutmix": True}, True),
        ({"siamese": "flip"}, True),
        ({"augmentation": {"shuffle": 1, "crop": [1.0, 1.0], "flip": 0.0}}, False),
        ({"augmentation": {"crop": [0.5, 1.0]}}, True),
        ({"augmentation": {"crop": [1.0, 1.0], "flip": 0.5}}, True),
        ({"augmentation": {"shuffle": 2}}, True),
    ],
)
def test_what_changes_images_at_random_is_augmentation(protocol, expected):
    assert augments(protocol) is expected


def judged(protocol, described, accuracies, logged=None):
    run = {"log": {"soft_label_bytes": logged}} if logged else {}
    found = []
    for method, value in accuracies.items():
        if method == "full":
            cells = [(cell(method, ipc=0, protocol=protocol), value)]
        else:
            cells = [(cell(method, seed=s, protocol=protocol), value + d) for s, d in ((0, -0.01), (1, 0.01))]
        found += [record(c, last, run=run, key=f"{protocol}/{c}", **described) for c, last in cells]
    return found


HARD = judged("h@1", SHIFTED, {"x": 0.5, "random": 0.3, "full": 0.9})
SOFT = judged("t@1", SHIFTED, {"x": 0.6, "random": 0.55, "full": 0.92}, logged=2000)
NOTHING = judged("t@1[shift=0]", PLAIN, {"x": 0.4, "random": 0.45})


def test_random_comes_first_and_the_train_split_last_with_scores_of_the_means():
    (table,) = label_tables(sampled(HARD + SOFT + NOTHING), FACTS)
    lrs, ars = by_hand(0.5 * 0.05 - 0.5 * 0.4), by_hand(0.5 * 0.05 - 0.5 * 0.05)
    base = by_hand(-0.5 * 0.6)
    text = markdown([table]).splitlines()
    assert text[0] == "| dataset | arch | IPC | method | hard labels | soft labels | LRS | ARS | soft labels (kB) |"
    assert text[2].replace("<u>", "").replace("</u>", "").replace("**", "") == (
        f"| d | net | 1 | random | 30.0 ± 1.4 | 55.0 ± 1.4 | {base:.3f} | {by_hand(0):.3f} | 2 |"
    )
    assert text[3].replace("**", "").replace("<u>", "").replace("</u>", "") == (
        f"| d | net | 1 | x | 50.0 ± 1.4 | 60.0 ± 1.4 | {lrs:.3f} | {ars:.3f} | 2 |"
    )
    assert text[4] == "| d | net | 1 | full (all) | 90.0 | 92.0 | – | – | 2 |"
    assert "with t@1 and, without augmentation, t@1[shift=0]" in text[-1]
    assert "hard labels (h@1) and soft labels (t@1)" in text[-1]


def test_the_numbers_behind_it_are_fractions():
    tables = label_tables(sampled(HARD + SOFT), FACTS)
    x = next(row for row in rows(tables) if row["method"] == "x")
    assert (x["top1_hard"], x["top1_soft"], x["ars"]) == (pytest.approx(0.5), pytest.approx(0.6), None)
    assert x["lrs"] == pytest.approx(by_hand(0.5 * 0.05 - 0.5 * 0.4))
    assert (x["hard"], x["soft"], x["plain"], x["soft_label_bytes"]) == ("h@1", "t@1", "", 2000)


def test_without_the_random_row_there_is_no_score():
    tables = label_tables(sampled([r for r in HARD + SOFT if r.cell.method != "random"]), FACTS)
    assert [row["lrs"] for row in rows(tables)] == [None, None]


def test_an_incomplete_position_has_no_score_and_says_why():
    broken = [*HARD[1:], record(HARD[0].cell, 0, outcome="failed", key=HARD[0].key), *SOFT]
    (table,) = label_tables(sampled(broken), FACTS)
    (row,) = [row for row in table.rows if row[3].text == "x"]
    assert row[4].text == "(1 failed of 2)"
    assert row[6].text == "–"


def test_one_kind_of_labels_alone_is_no_such_table():
    with pytest.raises(BenchError, match=r"needs cells under hard and under soft labels.*h@1 \(hard\)"):
        label_tables(sampled(HARD), FACTS)


def test_bytes_of_set_and_teacher_and_seconds_stand_beside_the_accuracies():
    log = {"soft_label_bytes": 2000, "teacher_bytes": 4000, "teacher_top1": 0.75}
    run = {"seconds": {"distill": 3.0, "evaluate": 2.0}, "log": log, "judge": [{"stage": "teacher", "seconds": 7.0}]}
    soft = record(cell("x", protocol="t@1"), 0.6, run=run, parents=["k"], key="soft", **SHIFTED)
    hard = record(cell("x", protocol="h@1"), 0.5, parents=["k"], key="hard", **SHIFTED)
    (table,) = label_tables(sampled([hard, soft]), FACTS, sets={"k": SetFacts(png_bytes=1500, raw_bytes=3000)})
    shown = {column.title: item.text for column, item in zip(table.columns, table.rows[0], strict=True)}
    assert list(shown.items())[-7:] == [
        ("soft labels (kB)", "2"),
        ("set as PNG (kB)", "1.5"),
        ("teacher top-1", "75.0"),
        ("teacher (kB)", "4"),
        ("distil a set (s)", "3"),
        ("judge (s)", "2"),
        ("teacher (s)", "7"),
    ]
    assert table.data()[0]["raw_bytes"] == 3000


def test_random_images_with_stored_labels_are_the_random_row():
    stored = judged("f@1", SHIFTED, {"x": 0.6, "random_labelled": 0.55, "full": 0.92})
    tables = label_tables(sampled(HARD + stored), CaptionFacts({"h@1": "hard", "f@1": "stored"}))
    found = {row["method"]: row for row in rows(tables)}
    assert (found["random"]["top1_hard"], found["random"]["top1_soft"]) == (pytest.approx(0.3), pytest.approx(0.55))
    assert found["x"]["lrs"] == pytest.approx(by_hand(0.5 * 0.05 - 0.5 * 0.4))
    assert "random_labelled" not in found
