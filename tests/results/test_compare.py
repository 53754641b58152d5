"""``bench compare``: what is compared with what, what counts, and when it fails."""

import json

import pytest

from ddbench.errors import BenchError
from ddbench.results.comparison import matched
from ddbench.results.tables import CaptionFacts, markdown
from ddbench.results.tables.comparison import comparison_table
from tests.support.invoke import invoke
from tests.support.records import cell, hexkey, record, sampled, stored


def made(method, accuracies, **kw):
    return [record(cell(method, seed=s, **kw), a) for s, a in enumerate(accuracies)]


LOW, HIGH = (0.5, 0.502, 0.501), (0.6, 0.6021, 0.6011)


def test_a_comparison_is_exactly_this():
    a = sampled(made("x", LOW) + made("y", HIGH) + made("z", (0.5,)) + made("gone", LOW))
    b = sampled(made("x", HIGH) + made("y", LOW) + made("z", (0.6,)) + made("new", LOW))
    found = matched(a, b)
    assert markdown([comparison_table(found, "before", "after", CaptionFacts({"p@1": "hard"}))]) == (
        "| dataset | arch | IPC | method | A | B | difference | 95 % interval | p | B is |\n"
        "|---|---|--:|---|--:|--:|--:|--:|--:|---|\n"
        "| d | net | 1 | x | 50.1 ± 0.1 | 60.1 ± 0.1 | +10.0 | +10.0 to +10.0 | &lt; 0.001 | better |\n"
        "| d | net | 1 | y | 60.1 ± 0.1 | 50.1 ± 0.1 | −10.0 | −10.0 to −10.0 | &lt; 0.001 | worse |\n"
        "| d | net | 1 | z | 50.0 | 60.0 | +10.0 | – | – | untested |\n"
        "| d | net | 1 | gone | 50.1 ± 0.1 | – | – | – | – | B: not run |\n"
        "| d | net | 1 | new | – | 50.1 ± 0.1 | – | – | – | A: not run |\n"
        "\n"
        "A: before. B: after. Top-1 accuracy (%) at the last epoch, mean ± sample standard deviation over distilled "
        "sets. "
        "Difference: B minus A in percentage points, with its 95 % t interval over distilled sets; p: the larger of "
        "the t "
        "test over sets (3 of 3 paired by seeds) and the exact sign-flip test over judged images, corrected for all "
        "rows "
        "(Holm). B is better in 1, worse in 1, no different in 0 of 3 rows. Split s/test, protocol p@1 (hard labels).\n"
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
    assert {match.verdict for match in matched(a, b)} == {"no difference"}


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


def test_a_store_against_itself_does_not_differ(tmp_path):
    a = keep(tmp_path / "a", HIGH)
    done = invoke("compare", a, a, "--fail-on", "regress", "--format", "json")
    assert done.returncode == 0 and json.loads(done.stdout)[0]["verdict"] == "no difference"


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
