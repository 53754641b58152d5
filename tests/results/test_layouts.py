"""The other layouts: methods as rows, ablation, cost, best minus last. Exact text."""

import pytest

from ddbench.errors import BenchError
from ddbench.results.cost import SetFacts, TeacherFacts, cost_of, front, teacher_of
from ddbench.results.tables import CaptionFacts, blocks, markdown, rows
from ddbench.results.tables.ablation import ablation_tables
from ddbench.results.tables.block import method_tables
from ddbench.results.tables.cost import cost_tables
from ddbench.results.tables.diagnostics import optimism_table, spread_table
from tests.support.records import cell, record, sampled

FACTS = CaptionFacts({"p@1": "hard"})


def made_blocks(records, **kw):
    found = sampled(records, **kw)
    return blocks({position: sample.estimate for position, sample in found.items()}, "last", FACTS)


def test_methods_as_rows():
    records = [record(cell(m, seed=s, ipc=i), a) for m, i, a in (("x", 1, 0.4), ("y", 1, 0.6)) for s in (0, 1)]
    records += [record(cell("y", seed=s, ipc=10), 0.7) for s in (0, 1)]
    records.append(record(cell("full", ipc=0), 0.9))
    assert markdown(method_tables(made_blocks(records))) == (
        "| method | IPC 1 | IPC 10 |\n"
        "|---|--:|--:|\n"
        "| x | <u>40.0 ± 0.0</u> | – |\n"
        "| y | **60.0 ± 0.0** | 70.0 ± 0.0 |\n"
        "| full | 90.0 | 90.0 |\n"
        "\n"
        "d, net. Top-1 accuracy (%) at the last epoch: mean ± sample standard deviation over distilled sets "
        "(n = 2 distilled sets, 1 classifier each). full: all real train images, 1 classifier. "
        "Split s/test, protocol p@1 (hard labels).\n"
    )


def test_methods_as_rows_have_a_table_for_each_dataset_and_arch():
    records = [record(cell(m, dataset=d), 0.5) for m, d in (("x", "d"), ("y", "e"))]
    found = method_tables(made_blocks(records))
    assert [[row[0].text for row in table.rows] for table in found] == [["x"], ["y"]]
    assert [row["method"] for row in rows(found)] == ["x", "y"]


def test_best_minus_last():
    records = [record(cell("x", seed=s), 0.5, best=0.5 + s / 100) for s in (1, 3)]
    records += [
        record(cell("x", ipc=10), 0.5, best=0.54),
        record(cell("y"), 0.5),
        record(cell("full", ipc=0), 0.9, 0.99),
    ]
    (block,) = made_blocks(records)
    assert markdown([optimism_table(block)]) == (
        "| dataset | arch | IPC | x | y | full |\n"
        "|---|---|--:|--:|--:|--:|\n"
        "| d | net | 1 | +2.0 | 0.0 | +9.0 |\n"
        "| d | net | 10 | +4.0 | – | +9.0 |\n"
        "| mean |  |  | +3.0 | 0.0 | +9.0 |\n"
        "\n"
        "Top-1 accuracy at the best epoch minus that at the last, in percentage points, mean over cells (distilled "
        "sets "
        "and classifiers). Choosing the epoch on the judged images is worth +2.0 points on average over 3 positions of "
        "this table, all real data left out. Split s/test, protocol p@1 (hard labels).\n"
    )


def test_best_minus_last_has_no_mean_over_a_partial_grid():
    wanted = {cell("x", ipc=i): str(cell("x", ipc=i)) for i in (1, 10)}
    (block,) = made_blocks([record(cell("x"), 0.5, best=0.6)], wanted=wanted)
    assert [row[3].text for row in optimism_table(block).rows] == ["+10.0", "(1 missing of 1)", "–"]


def test_where_the_spread_comes_from():
    accuracies = [(0.26, 0.34), (0.46, 0.54), (0.66, 0.74)]
    records = [record(cell("x", seed=s, eval_seed=e), a) for s, two in enumerate(accuracies) for e, a in enumerate(two)]
    records += [record(cell("y"), 0.5), record(cell("z"), 0, outcome="failed"), record(cell("full", ipc=0), 0.9)]
    (block,) = made_blocks(records)
    assert markdown([spread_table(block)]) == (
        "| dataset | arch | IPC | method | top-1 | 95 % interval | sd of sets | sd of classifiers | sd of the rest | "
        "n |\n"
        "|---|---|--:|---|--:|--:|--:|--:|--:|--:|\n"
        "| d | net | 1 | x | 50.0 | 0.3 to 99.7 | 20.00 | 5.66 | 0.00 | 3 x 2 |\n"
        "| d | net | 1 | y | 50.0 | – | – | – | – | 1 x 1 |\n"
        "| d | net | 1 | z | (1 failed of 1) | – | – | – | – | 1 x 1 |\n"
        "| d | net | all | full | 90.0 | – | – | – | – | 1 x 1 |\n"
        "\n"
        "Top-1 accuracy (%) at the last epoch, its 95 % t interval over distilled sets (judged by classifiers of these "
        "seeds), and where its spread comes from: standard deviations in percentage points of distilled sets, of seeds "
        "of classifiers whatever the set, and of the rest, in a random-effects model by the method of moments. A "
        "negative variance is 0; a dash needs more sets or classifiers. n: distilled sets x classifiers. "
        "Split s/test, protocol p@1 (hard labels).\n"
    )


def ablation(reference=None, accuracies=None):
    accuracies = accuracies or {"base": (0.5, 0.52, 0.51), "plus": (0.6, 0.62, 0.612), "minus": (0.5, 0.53, 0.5)}
    records = [record(cell(m, seed=s), a) for m, values in accuracies.items() for s, a in enumerate(values)]
    return ablation_tables(sampled(records), FACTS, reference)


def test_the_change_against_the_reference():
    assert markdown(ablation()) == (
        "| dataset | arch | IPC | configuration | top-1 | change | interval | p |\n"
        "|---|---|--:|---|--:|--:|--:|--:|\n"
        "| d | net | 1 | base | 51.0 ± 1.0 | reference | – | – |\n"
        "| d | net | 1 | plus | **61.1 ± 1.0** | +10.1 | +9.7 to +10.5 | &lt; 0.001 |\n"
        "| d | net | 1 | minus | 51.0 ± 1.7 | 0.0 | −2.5 to +2.5 | 1.000 |\n"
        "\n"
        "Top-1 accuracy (%) at the last epoch: mean ± sample standard deviation over distilled sets (n = 3). Change "
        "against base in percentage points. p: the larger p of the t test over distilled sets and the exact sign-flip "
        "test over judged images, corrected for the comparisons at one dataset, model and IPC (Holm). Interval: t "
        "interval over distilled sets, corrected as p is: at the confidence at which Holm tests the row, 95 % to "
        "97.5 %. Split s/test, protocol p@1 (hard labels).\n"
    )


def test_a_single_set_is_not_tested_against_the_reference():
    (table,) = ablation(accuracies={"base": (0.5,), "plus": (0.6,)})
    assert [item.text for item in table.rows[1][5:]] == ["+10.0", "–", "not tested"]
    assert "Not tested, one set" in table.caption and "Interval: 95 % t interval" in table.caption


def test_the_reference_is_the_first_or_named():
    (table,) = ablation("minus")
    assert [row[5].text for row in table.rows] == ["0.0", "+10.1", "reference"]
    with pytest.raises(BenchError, match=r"unknown method 'plsu' in --reference\. Did you mean 'plus'"):
        ablation("plsu")


def test_without_a_whole_reference_nothing_is_compared():
    wanted = {cell(m, seed=s): str(cell(m, seed=s)) for m in ("base", "plus") for s in (0, 1)}
    records = [record(c, 0.5) for c in wanted if str(c) != str(cell("base", seed=1))]
    (table,) = ablation_tables(sampled(records, wanted=wanted), FACTS, None)
    assert [[item.text for item in row[3:6]] for row in table.rows] == [
        ["base", "(1 missing of 2)", "reference"],
        ["plus", "50.0 ± 0.0", "–"],
    ]


def run(**seconds):
    return {"seconds": seconds}


def test_cost():
    records = [
        record(cell("x", seed=s), 0.5, parents=[f"x{s}"], run=run(prior=90.0, fit=8.0, distill=2.0 + s, evaluate=1.5))
        for s in (0, 2)
    ]
    records.append(record(cell("y"), 0.5, parents=["y0"], run=run(distill=0.0001, evaluate=120.4)))
    sizes = {"raw_bytes": 120_000, "png_bytes": 61_440, "soft_bytes": 400}
    made = {
        "x0": SetFacts(images=10, memory_mib=300, **sizes),
        "x2": SetFacts(images=10, memory_mib=500, gpu_mib=7, **sizes),
    }
    assert markdown(cost_tables(sampled(records), made)) == (
        "| dataset | arch | IPC | method | top-1 | fine-tune (s) | distil a set (s) | s / image | judge (s) | "
        "memory (MiB) | GPU (MiB) | pixels (kB) | as PNG (kB) | soft labels (kB) |\n"
        "|---|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        "| d | net | 1 | x | 50.0 ± 0.0 | 8 | 3 | 0.3 | 1.5 | 500 | 7 | 120 | 61.4 | 0.4 |\n"
        "| d | net | 1 | y | 50.0 | – | &lt; 0.001 | – | 120 | – | – | – | – | – |\n"
        "\n"
        "Top-1 accuracy (%) at the last epoch: mean ± sample standard deviation over distilled sets. Seconds of "
        "computing, means over distilled sets (fine-tuning serves all of them, judging is of one classifier), and the "
        "highest peak of memory of the stages that were made for the method; a dash is what was not needed or not "
        "recorded, and columns of dashes are left out. On GPU, on CPU: fine-tuning, embedding, distilling and judging "
        "once, by processor. Bytes of a set: its pixels, the PNG files of its export, and the soft labels that "
        "classifiers learn from (a teacher's as if they were stored); 1 kB is 1,000 bytes. Training or loading the "
        "prior of d, shared by many: 90 s. Split s/test, protocol p@1. Seconds of other processors, or of several "
        "stages side by side, are not comparable.\n"
    )


def test_where_nothing_ran_on_a_card_no_column_says_so_and_no_soft_label_is_a_dash():
    one = record(cell("x"), 0.5, parents=["x0"], run=run(distill=2.0, evaluate=1.5), device="cpu")
    one.config["distill"] = {"device": "cpu"}
    (table,) = cost_tables(sampled([one]), {"x0": SetFacts(images=10, raw_bytes=100, soft_bytes=0)})
    titles = [column.title for column in table.columns]
    assert titles[5:] == ["distil a set (s)", "s / image", "judge (s)", "on CPU (s)", "pixels (kB)"]
    (row,) = table.data()
    assert (row["top1"], row["on_gpu_s"], row["on_cpu_s"], row["label_bytes"]) == (0.5, 0.0, 3.5, 0)


def test_seconds_go_to_the_processor_of_their_stage_and_a_teachers_labels_count_as_stored():
    one = record(cell(), 0.5, parents=["k"], run=run(prior=1000.0, fit=10.0, distill=5.0, evaluate=2.0))
    one.config.update(prior={"device": "cuda"}, fit={"device": "cuda"}, distill={"device": "cuda"})
    assert cost_of([one], {}).on_gpu is None  # the device of the evaluation is not on record
    one.config["evaluate"]["device"] = "cpu"
    found = cost_of([one], {"k": SetFacts(soft_bytes=400)})
    assert (found.on_gpu, found.on_cpu, found.label_bytes, found.teacher_bytes) == (15.0, 2.0, 400.0, None)
    one.run["log"] = {"soft_label_bytes": 285e6, "teacher_bytes": 44.7e6}
    found = cost_of([one], {"k": SetFacts(soft_bytes=400)})
    assert (found.label_bytes, found.teacher_bytes) == (285e6, 44.7e6)


def test_a_set_counts_once_however_many_classifiers_judge_it():
    records = [
        record(cell("x", seed=s, eval_seed=e), 0.5, parents=[f"x{s}"], run=run(distill=float(s), evaluate=1.0))
        for s, e in ((0, 0), (0, 1), (0, 2), (6, 0))
    ]
    assert cost_of(records, {}).distill == 3.0


def test_own_cost_has_fine_tuning_but_no_prior():
    one = record(cell(), 0.5, parents=["k"], run=run(prior=1000.0, fit=10.0, embed=5.0, distill=5.0))
    found = cost_of([one], {"k": SetFacts(images=10)})
    assert (found.per_image, found.own_per_image) == (0.5, 2.0)


def test_the_front_is_what_nothing_beats():
    points = {"cheap": (1.0, 0.5), "dear": (3.0, 0.9), "beaten": (3.0, 0.8), "worse": (2.0, 0.5), "twin": (1.0, 0.5)}
    assert front(points) == {"cheap", "twin", "dear"}


def test_the_seconds_of_teachers_count_once_for_a_method_and_its_judge():
    def told(own, judge):
        seconds = {"distill": 2.0, "evaluate": 1.0, **({} if own is None else {"teacher": own})}
        judges = [] if judge is None else [{"stage": "teacher", "seconds": judge}]
        one = record(cell("x"), 0.5, parents=["k"], run={"seconds": seconds, "judge": judges})
        (table,) = cost_tables(sampled([one]), {})
        shown = {column.title: item.text for column, item in zip(table.columns, table.rows[0], strict=True)}
        return cost_of([one], {}).teacher, shown.get("teacher (s)")

    found = [told(own, judge) for own, judge in ((7.25, 7.25), (7.25, 3.0), (None, 3.0), (None, None))]
    assert found == [(7.25, "7.25"), (10.25, "10.2"), (3.0, "3"), (None, None)]


def test_a_method_under_hard_labels_has_the_accuracy_and_the_bytes_of_its_own_teacher():
    own = {"stage": "teacher", "seconds": 2.0, "log": {"train_top1": 0.9, "teacher_bytes": 5000}}
    one = record(cell("x"), 0.5, run={"teacher": own, "log": {}})
    assert teacher_of(one) == TeacherFacts(top1=None, train_top1=0.9, bytes=5000)
    assert cost_of([one], {}).teacher_bytes == 5000
    judge = {"stage": "teacher", "seconds": 1.0, "log": {"train_top1": 0.8, "teacher_bytes": 70}}
    one.run.update(judge=[judge], log={"teacher_top1": 0.6, "teacher_bytes": 70})
    assert teacher_of(one) == TeacherFacts(top1=0.6, train_top1=0.8, bytes=70)
    assert teacher_of(record(cell("x"), 0.5)) is None


def test_a_caption_says_of_a_single_classifier_that_it_is_one_and_of_several_what_the_spread_is():
    one = [record(cell("full", ipc=0), 0.9), record(cell("x"), 0.5)]
    (block,) = made_blocks(one)
    assert "full: all real train images, 1 classifier." in block.caption()
    (block,) = made_blocks([*one, record(cell("full", ipc=0, eval_seed=1), 0.8)])
    assert "full: all real train images, ± over 2 classifiers." in block.caption()


def test_an_interval_that_is_cut_off_is_said_to_be():
    for accuracies, cut in (((0.1, 0.9), True), ((0.5, 0.51), False)):
        (block,) = made_blocks([record(cell("x", seed=s), a) for s, a in enumerate(accuracies)])
        assert ("cut off at 0 and 100" in spread_table(block).caption) is cut
