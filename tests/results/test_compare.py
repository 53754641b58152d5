"""``bench compare``: what is compared with what, what counts, and when it fails."""

import json

import pytest

from ddbench.errors import BenchError
from ddbench.results.comparison import matched
from ddbench.results.tables import CaptionFacts, markdown
from ddbench.results.tables.comparison import comparison_table
from tests.support.invoke import invoke
from tests.support.records import cell, hexkey, record, sampled, stored
from tests.support.store import make_store


def made(method, accuracies, **kw):
    return [record(cell(method, seed=s, **kw), a) for s, a in enumerate(accuracies)]


LOW, HIGH = (0.5, 0.502, 0.501), (0.6, 0.6021, 0.6011)


def test_a_comparison_is_exactly_this():
    a = sampled(made("x", LOW) + made("y", HIGH) + made("z", (0.5,)) + made("gone", LOW))
    b = sampled(made("x", HIGH) + made("y", LOW) + made("z", (0.6,)) + made("new", LOW))
    found = matched(a, b)
    assert markdown([comparison_table(found, "before", "after", CaptionFacts({"p@1": "hard"}))]) == (
        "| dataset | arch | IPC | method | A | B | difference | interval | p | B is |\n"
        "|---|---|--:|---|--:|--:|--:|--:|--:|---|\n"
        "| d | net | 1 | x | 50.1 ± 0.1 | 60.1 ± 0.1 | +10.0 | +10.0 to +10.0 | &lt; 0.001 | better |\n"
        "| d | net | 1 | y | 60.1 ± 0.1 | 50.1 ± 0.1 | −10.0 | −10.0 to −10.0 | &lt; 0.001 | worse |\n"
        "| d | net | 1 | z | 50.0 | 60.0 | +10.0 | – | – | not tested: one set |\n"
        "| d | net | 1 | gone | 50.1 ± 0.1 | – | – | – | – | B: not run |\n"
        "| d | net | 1 | new | – | 50.1 ± 0.1 | – | – | – | A: not run |\n"
        "\n"
        "A: before. B: after. Top-1 accuracy (%) at the last epoch, mean ± sample standard deviation over distilled "
        "sets. Difference: B minus A in percentage points. p: the larger p of the t test over distilled sets and the "
        "exact sign-flip test over judged images (2 of 2 tested rows paired by seeds), corrected for all tested rows "
        "(Holm). Interval: t interval over distilled sets, corrected as p is: at the confidence at which Holm tests "
        "the row, 95 % to 97.5 %. B is better in 1, worse in 1, not shown to differ in 0 and not tested in 1 of 3 "
        "rows; what is not shown to differ is not shown to be equal either. Not tested, one set: a single set does not "
        "tell how much sets of a method differ. Split s/test, protocol p@1 (hard labels).\n"
    )
    assert [match.regressed for match in found] == [False, True, False, True, False]


def test_selections_are_matched_on_what_they_do_not_name():
    found = matched(
        sampled(made("x", LOW, ipc=1) + made("x", LOW, ipc=10)), sampled(made("y", HIGH, ipc=10)), {"method"}
    )
    assert [(match.place["ipc"], match.verdict) for match in found] == [(1, "B: not run"), (10, "better")]
    assert "method" not in found[0].place


def test_a_failed_cell_is_told_and_not_compared():
    b = [*made("x", HIGH)[:2], record(cell("x", seed=2), 0, outcome="timeout")]
    (found,) = matched(sampled(made("x", LOW)), sampled(b))
    assert (found.comparison, found.verdict, found.regressed) == (None, "B: 1 timeout of 3", True)


def test_splits_and_protocols_are_never_compared_with_one_another():
    with pytest.raises(BenchError, match="no place"):
        matched(sampled(made("x", LOW)), sampled(made("x", LOW, protocol="q@1")))


def test_the_correction_is_for_all_rows():
    methods = [f"m{i}" for i in range(10)]
    a = sampled([r for m in methods for r in made(m, (0.5, 0.52, 0.51))])
    b = sampled([r for m in methods for r in made(m, (0.6, 0.62, 0.64))])
    alone = matched({k: v for k, v in a.items() if k.method == "m0"}, b)[0].comparison
    assert alone.p < 0.05 and alone.verdict == "better"
    assert {match.verdict for match in matched(a, b)} == {"not shown"}


def test_the_interval_of_a_row_holds_zero_where_it_is_not_shown_to_differ():
    a = sampled([r for m in "xyz" for r in made(m, (0.5, 0.52, 0.51))])
    b = sampled(made("x", (0.7, 0.72, 0.711)) + made("y", (0.6, 0.62, 0.64)) + made("z", (0.5, 0.53, 0.5)))
    found = matched(a, b)
    assert [match.verdict for match in found] == ["better", "better", "not shown"]
    assert [match.comparison.confidence for match in found] == pytest.approx([1 - 0.05 / 3, 0.975, 0.95])
    assert [0 in match.comparison.interval for match in found] == [False, False, True]
    json_row = comparison_table(found, "a", "b", CaptionFacts()).data()[1]
    assert json_row["ci_confidence"] == pytest.approx(0.975) and json_row["ci_low"] > 0


def test_one_set_a_side_regresses_nothing_however_many_images_say_so():
    a = sampled([record(cell("x"), 0.9, right=[True] * 90 + [False] * 10)])
    b = sampled([record(cell("x"), 0.1, right=[True] * 10 + [False] * 90)])
    (found,) = matched(a, b)
    assert (found.verdict, found.regressed) == ("not tested: one set", False)
    assert found.comparison.p_images < 1e-10


def keep(folder, accuracies, methods=("x",), base=0):
    records = [r for m in methods for r in made(m, accuracies)]
    stored(folder, [record(r.cell, r.last, key=hexkey(base + i)) for i, r in enumerate(records)])
    return folder


def test_two_stores_and_the_exit_code(tmp_path):
    a, b = keep(tmp_path / "a", HIGH), keep(tmp_path / "b", LOW, base=10)
    assert invoke("compare", a, b).returncode == 0
    done = invoke("compare", a, b, "--fail-on", "regress", "--format", "json")
    (row,) = json.loads(done.stdout)
    assert done.returncode == 1 and "B regressed in 1 of 1 rows." in done.stderr
    assert (row["verdict"], row["regressed"], row["paired"]) == ("worse", True, True)
    assert row["difference"] == pytest.approx(-0.1, abs=1e-4)
    assert invoke("compare", b, a, "--fail-on", "regress").returncode == 0


def test_stores_may_be_options(tmp_path):
    for name in "ab":
        make_store(tmp_path / name, methods=("random", "dm"), ipc=(1,))
    a, b = tmp_path / "a", tmp_path / "b"
    assert invoke("compare", "--store", a, "--store", b).stdout == invoke("compare", a, b).stdout != ""


def test_a_store_against_itself_does_not_differ(tmp_path):
    a = keep(tmp_path / "a", HIGH)
    done = invoke("compare", a, a, "--fail-on", "regress", "--format", "json")
    assert done.returncode == 0 and json.loads(done.stdout)[0]["verdict"] == "not shown"


def test_two_selections_of_a_store(tmp_path):
    both = [*made("x", LOW), *made("y[k=1]", HIGH)]
    stored(tmp_path / "s", [record(r.cell, r.last, key=hexkey(i)) for i, r in enumerate(both)])
    done = invoke("compare", tmp_path / "s", "--a", "method=x", "--b", "method=y[k=1]", "--format", "json")
    assert [row["verdict"] for row in json.loads(done.stdout)] == ["better"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name two stores, or two selections with --a and --b"),
        (["--a", "method=x"], "--b is missing"),
        (["--a", "method=x", "--b", "ipc=1"], "must name the same fields"),
        (["--a", "method", "--b", "method=x"], "--a 'method' is not FIELD=VALUE"),
        (["--a", "methd=x", "--b", "method=x"], "unknown field 'methd' in --a. Did you mean 'method'?"),
        (["--a", "ipc=one", "--b", "ipc=1"], "--a ipc=one is not a number"),
        (["--a", "method=xx", "--b", "method=x"], "unknown method 'xx' in the runs of these stores. Did you mean 'x'?"),
    ],
)
def test_bad_input_is_one_message(tmp_path, arguments, message):
    done = invoke("compare", keep(tmp_path / "s", LOW), *arguments)
    assert (done.returncode, done.stdout) == (2, "") and message in done.stderr and done.stderr.count("\n") == 1
