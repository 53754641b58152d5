"""The leaderboard: order, intervals, cost, who is left out, and that nothing is ranked across protocols."""

import json

import numpy as np
import pytest

from ddbench.results.cost import SetFacts
from ddbench.results.leaderboard import boards
from ddbench.results.statistics.power import sets_needed
from ddbench.results.tables import CaptionFacts, markdown
from ddbench.results.tables.leaderboard import leaderboard_table
from tests.support.invoke import invoke
from tests.support.records import cell, hexkey, record, sampled, stored


def grid(method, accuracies, seconds=1.0, **kw):
    run = {"seconds": {"prior": 99.0, "distill": seconds, "evaluate": 1.0}}
    return [
        record(cell(method, seed=s, **kw), a, run=run, parents=[f"{method}{kw.get('ipc')}{s}"])
        for s, a in enumerate(accuracies)
    ]


def made(records, images=10):
    return {key: SetFacts(images=images) for record in records for key in record.config["evaluate"]["parents"]}


def board(records, **kw):
    (found,) = boards(sampled(records, **kw), made(records))
    return found


STEADY = {"good": (0.9, 0.902, 0.901), "fair": (0.7, 0.7021, 0.7011), "poor": (0.4, 0.4022, 0.401)}


def example():
    records = [r for m, a in STEADY.items() for i in (1, 10) for r in grid(m, a, seconds=len(m), ipc=i)]
    return records + grid("partial", (0.95, 0.95, 0.95), ipc=1) + [record(cell("full", ipc=0), 0.99)]


def test_a_board_is_exactly_this():
    assert markdown([leaderboard_table(board(example()), CaptionFacts({"p@1": "hard"}))]) == (
        "| rank | rank interval | method | top-1 | 95 % interval | s / image | front | n |\n"
        "|--:|--:|---|--:|--:|--:|---|--:|\n"
        "| 1 | 1 to 1 | **good** | 90.1 | 89.9 to 90.3 | 0.4 | yes | 3 |\n"
        "| 2 | 2 to 2 | fair | 70.1 | 69.8 to 70.4 | 0.4 |  | 3 |\n"
        "| 3 | 3 to 3 | poor | 40.1 | 39.8 to 40.4 | 0.4 |  | 3 |\n"
        "\n"
        "Mean rank and mean top-1 accuracy (%) at the last epoch over 2 rows (d, net, IPC 1; d, net, IPC 10), with "
        "95 % "
        "intervals: of the rank by comparing the method with every other (the larger p of the t test over distilled "
        "sets "
        "and the exact sign-flip test over judged images, corrected after Holm), of the accuracy by the t "
        "distribution over "
        "distilled sets. s / image: embedding, fine-tuning and distilling for each image. front: no other method is as "
        "cheap and better, or cheaper and as good. n: distilled sets in a row. Not ranked: partial, not run on d, net, "
        "IPC 10. Split s/test, protocol p@1 (hard labels).\n"
    )


def test_what_is_not_surely_different_shares_ranks():
    records = [r for m, a in {"x": (0.5, 0.7, 0.6), "y": (0.6, 0.5, 0.75)}.items() for r in grid(m, a, ipc=1)]
    assert {standing.method: standing.ranks for standing in board(records).standings} == {"x": (1, 2), "y": (1, 2)}


NOISY = {"x": (0.5, 0.7, 0.6), "y": (0.62, 0.56, 0.74), "z": (0.4, 0.66, 0.58)}


def test_where_nothing_is_told_apart_the_board_says_how_many_sets_would_do():
    found = board([r for m, a in NOISY.items() for i in (1, 10) for r in grid(m, a, ipc=i)])
    pairs = [np.subtract(NOISY[a], NOISY[b]) for a, b in ("xy", "xz", "yz")]
    sd = np.mean([pair.var(ddof=1) for pair in pairs]) ** 0.5
    assert found.unresolved.sd == pytest.approx(sd)
    largest, leaders = found.unresolved.largest, found.unresolved.leaders
    assert (largest.difference, leaders.difference) == (pytest.approx(0.28 / 3), pytest.approx(0.04))
    assert largest.sets == sets_needed(largest.difference, sd, 0.05 / 4)  # two others in two rows
    assert leaders.sets == sets_needed(leaders.difference, sd, 0.05 / 4) > largest.sets
    caption = leaderboard_table(found, CaptionFacts()).caption
    assert (
        "No two methods can be told apart with n = 3. With the spread measured here (sd of the difference of two sets: "
        f"{100 * sd:.1f} points) it takes about {largest.sets} sets a method to show the largest difference in a row "
        f"(9.3 points) with a chance of 80 %; about {leaders.sets} sets that of the first two (4.0 points)."
    ) in caption


def test_where_images_alone_stand_against_a_difference_more_sets_are_not_advised():
    records = [
        record(cell(m, seed=s), low + s / 1000, right=right)
        for m, low, right in (("x", 0.5, [True, True, False]), ("y", 0.6, [True, True, True]))
        for s in range(3)
    ]
    (found,) = boards(sampled(records), {})
    assert found.unresolved.images and found.standings[0].ranks == (1, 2)
    caption = leaderboard_table(found, CaptionFacts()).caption
    assert "more sets would not help, more images would" in caption and "it takes" not in caption


def test_a_board_of_single_sets_is_not_tested():
    found = board([r for m, a in {"x": (0.5,), "y": (0.9,)}.items() for r in grid(m, a, ipc=1)])
    assert [standing.ranks for standing in found.standings] == [None, None] and found.unresolved is None
    table = leaderboard_table(found, CaptionFacts())
    assert [row[1].text for row in table.rows] == ["not tested", "not tested"]
    assert "Not tested, one set: a single set does not tell how much sets of a method differ." in table.caption
    assert [row["rank_low"] for row in table.data()] == [None, None]


def test_the_mean_is_over_rows_and_its_interval_over_seeds():
    records = grid("x", (0.5, 0.6), ipc=1) + grid("x", (0.9, 0.8), ipc=10)
    (standing,) = board(records).standings
    assert standing.mean == pytest.approx(0.7)
    assert (standing.interval.low, standing.interval.high) == (
        pytest.approx(0.7),
        pytest.approx(0.7),
    )  # seed by seed alike


def test_rows_of_other_seeds_have_no_common_interval():
    records = grid("x", (0.5, 0.6), ipc=1) + [record(cell("x", seed=s, ipc=10), 0.5) for s in (3, 4)]
    (standing,) = boards(sampled(records), {})[0].standings
    assert standing.interval is None and standing.mean == pytest.approx(0.525)


def test_the_mean_rank_is_over_rows_with_ties():
    rows = {1: {"x": 0.9, "y": 0.8, "z": 0.8}, 10: {"x": 0.7, "y": 0.9, "z": 0.8}}
    records = [r for ipc, row in rows.items() for m, a in row.items() for r in grid(m, (a,), ipc=ipc)]
    assert {e.method: e.rank for e in board(records).standings} == {"y": 1.75, "x": 2.0, "z": 2.25}


def test_a_failed_cell_leaves_its_method_out():
    records = grid("x", (0.5, 0.6), ipc=1) + grid("y", (0.7,), ipc=1)
    records.append(record(cell("y", seed=1, ipc=1), 0, outcome="failed", parents=["y11"]))
    found = board(records)
    assert [e.method for e in found.standings] == ["x"]
    assert found.left_out == {"y": "1 failed of 2 on d, net, IPC 1"}


def test_unknown_cost_is_on_no_front():
    records = grid("x", (0.5, 0.6), ipc=1) + grid("y", (0.7, 0.8), ipc=1)
    (found,) = boards(sampled(records), made(records[:2]))
    assert {e.method: (e.seconds, e.front) for e in found.standings} == {"x": (0.1, True), "y": (None, False)}


def test_protocols_and_splits_have_boards_of_their_own():
    records = [
        r for m in ("x", "y") for p in ("p@1", "q@1") for s in ("a", "b")
        for r in grid(m, (0.5, 0.6), ipc=1, protocol=p, split=s)
    ]  # fmt: skip
    found = boards(sampled(records), {})
    assert [(b.split, b.protocol) for b in found] == [("a", "p@1"), ("b", "p@1"), ("a", "q@1"), ("b", "q@1")]
    assert all(len(b.standings) == 2 and len(b.rows) == 1 for b in found)


def keep(folder, method, accuracies, base=0, **kw):
    cells = [cell(method, seed=s, **kw) for s in range(len(accuracies))]
    stored(folder, [record(c, a, key=hexkey(base + i)) for i, (c, a) in enumerate(zip(cells, accuracies, strict=True))])


def test_several_stores_are_one_board(tmp_path):
    keep(tmp_path / "a", "x", (0.5, 0.6, 0.7))
    keep(tmp_path / "b", "y", (0.6, 0.7, 0.8), base=10)
    done = invoke("leaderboard", tmp_path / "a", tmp_path / "b", "--format", "json")
    assert [(row["method"], row["rank"]) for row in json.loads(done.stdout)] == [("y", 1.0), ("x", 2.0)]
    assert done.stderr == ""


def test_of_two_configurations_of_a_cell_the_store_named_last_counts_and_it_is_said(tmp_path):
    keep(tmp_path / "a", "x", (0.5, 0.5))
    keep(tmp_path / "b", "x", (0.9, 0.9), base=10)
    done = invoke("leaderboard", tmp_path / "a", tmp_path / "b", "--format", "json")
    assert json.loads(done.stdout)[0]["top1_mean"] == 0.9
    assert f"{tmp_path}/b has 2 cells in another configuration" in done.stderr


def test_bad_input_is_one_message(tmp_path):
    keep(tmp_path / "a", "full", (0.5,), ipc=0)
    for arguments, message in [
        ([tmp_path / "a"], "there is nothing distilled to rank"),
        ([tmp_path / "nowhere"], "there is no store at"),
    ]:
        done = invoke("leaderboard", *arguments)
        assert (done.returncode, done.stdout) == (2, "") and message in done.stderr
