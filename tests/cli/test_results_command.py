"""``bench table`` on stores that are partial, mixed, failed or small: exact text; filters, formats and bad input."""

import io
import json

import pyarrow.parquet as pq
import pytest

from tests.support.invoke import invoke
from tests.support.light import loaded_by_command
from tests.support.records import cell, hexkey, record, stored

PROTOCOL = {"type": "ddbench.evaluators.protocols:HardLabels"}
TEACHER = {"type": "ddbench.evaluators.protocols:SoftLabels"}
PRIOR = {"preparation": {"type": "ddbench.methods.diffusion.priors.pretrained:PretrainedDiT"}}


def kept(folder, cells, **kw):
    """A store of records at 50 %, those whose outcome is given otherwise failed; ``cells``: cell -> outcome or None."""
    records = [
        record(c, 0.5, outcome=outcome or "ok", key=hexkey(i), protocol=PROTOCOL, **kw)
        for i, (c, outcome) in enumerate(cells.items())
    ]
    return stored(folder, records)


def table(folder, *arguments):
    done = invoke("table", "--store", folder, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(folder, *arguments):
    done = invoke("table", "--store", folder, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


def test_a_partial_grid(tmp_path):
    kept(tmp_path / "s", {cell(m, seed=s, ipc=i): None for m, i in (("x", 1), ("y", 1), ("x", 10)) for s in (0, 1)})
    assert table(tmp_path / "s") == (
        "| dataset | arch | IPC | x | y |\n"
        "|---|---|--:|--:|--:|\n"
        "| d | net | 1 | **50.0 ± 0.0** | **50.0 ± 0.0** |\n"
        "| d | net | 10 | 50.0 ± 0.0 | – |\n"
        "\n"
        "Top-1 accuracy (%) at the last epoch: mean ± sample standard deviation over distilled sets (n = 2 distilled "
        "sets, 1 classifier each). Split s/test, protocol p@1 (hard labels).\n"
    )


def test_a_store_of_two_protocols(tmp_path):
    records = [
        record(cell("x", protocol=p), 0.5, key=hexkey(i), protocol=described)
        for i, (p, described) in enumerate([("hard@1", PROTOCOL), ("soft@1", TEACHER)])
    ]
    stored(tmp_path / "s", records)
    half = "| dataset | arch | IPC | x |\n|---|---|--:|--:|\n| d | net | 1 | 50.0 |\n\n"
    about = (
        "Top-1 accuracy (%) at the last epoch: mean ± sample standard deviation over distilled sets (n = 1 distilled "
        "set, 1 classifier each). Split s/test, protocol "
    )
    assert table(tmp_path / "s") == (
        f"{half}{about}hard@1 (hard labels).\n\n"
        f"{half}{about}soft@1 (soft labels of a pretrained teacher: external knowledge).\n"
    )


def test_failed_cells(tmp_path):
    cells = {
        cell("x", seed=0): None,
        cell("x", seed=1): "out_of_memory",
        cell("y", seed=0): None,
        cell("y", seed=1): None,
    }
    kept(tmp_path / "s", cells)
    assert "| d | net | 1 | (1 out of memory of 2) | 50.0 ± 0.0 |\n" in table(tmp_path / "s")
    assert "| d | net | 1 | (1 out of memory of 2) | 0.0 |\n" in table(tmp_path / "s", "--layout", "best-last")
    (x, y) = json.loads(table(tmp_path / "s", "--format", "json"))
    assert (x["top1_mean"], x["note"], x["cells_ok"], x["cells"]) == (None, "1 out of memory of 2", 1, 2)
    assert (y["top1_mean"], y["note"]) == (0.5, "")


def test_a_single_seed(tmp_path):
    kept(tmp_path / "s", {cell("x"): None, cell("y"): None})
    assert "| d | net | 1 | **50.0** | **50.0** |\n" in table(tmp_path / "s")
    assert "| d | net | 1 | **50.0** | **50.0** |\n" in table(tmp_path / "s", "--interval", "ci")
    assert "| d | net | 1 | y | **50.0** | 0.0 | – | not tested |\n" in table(tmp_path / "s", "--layout", "ablation")
    assert json.loads(table(tmp_path / "s", "--format", "json"))[0]["ci95_low"] is None


def test_what_a_method_knows_from_elsewhere_is_told(tmp_path):
    one = record(cell("dit"), 0.5, key=hexkey(1), protocol=PROTOCOL)
    one.config["prior"] = PRIOR
    stored(tmp_path / "s", [one])
    told = "External knowledge of methods: dit: a diffusion model trained on all of ImageNet-1K.\n"
    assert table(tmp_path / "s").endswith(told)


def test_a_protocol_that_is_not_here_is_named_and_no_more_is_said(tmp_path):
    stored(tmp_path / "s", [record(cell(), 0.5, key=hexkey(1), protocol={"type": "not_there:Protocol"})])
    assert table(tmp_path / "s").endswith("Split s/test, protocol p@1.\n")


def test_filters_keep_what_they_name_in_that_order(tmp_path):
    kept(tmp_path / "s", {cell(m, ipc=i): None for i in (1, 10) for m in ("x", "y", "z")} | {cell("all", ipc=0): None})
    found = table(tmp_path / "s", "--methods", "z,all,x", "--ipc", "10").splitlines()
    assert found[0] == "| dataset | arch | IPC | z | all | x |"
    assert [line for line in found if line.startswith("| d ")] == ["| d | net | 10 | **50.0** | 50.0 | **50.0** |"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "xx"], "unknown method 'xx' in the runs of this store. Did you mean 'x'? Known: x, y."),
        (["--protocol", "p@2"], "unknown protocol 'p@2'"),
        (["--methods", "y", "--ipc", "10"], "no cell passes all filters at once"),
        (["--format", "terminal", "--out", "t.txt"], "leave out --out"),
        (["--out", "/proc/none/t.md"], "cannot write /proc/none/t.md"),
        (["--layout", "ablation", "--reference", "w"], "unknown method 'w' in --reference"),
    ],
)
def test_bad_input_is_one_message(tmp_path, arguments, message):
    kept(tmp_path / "s", {cell("x", ipc=1): None, cell("x", ipc=10): None, cell("y", ipc=1): None})
    error = refused(tmp_path / "s", *arguments)
    assert error.startswith("bench: ") and message in error and error.count("\n") == 1


def test_all_images_are_no_number_in_messages_and_a_zero_in_csv(tmp_path):
    kept(tmp_path / "s", {cell("full", ipc=0): None, cell("x", ipc=2): None, cell("x", ipc=10): None})
    assert "Known: 2, 10. What trains on all images" in refused(tmp_path / "s", "--ipc", "7")
    header, *rows = table(tmp_path / "s", "--format", "csv").splitlines()
    column = header.split(",").index("ipc")
    assert sorted(int(row.split(",")[column]) for row in rows) == [0, 2, 10]


def test_a_store_that_is_no_option_is_told_how_to_be_given(tmp_path):
    done = invoke("table", tmp_path)
    assert done.returncode == 2
    assert f"did you mean --store {tmp_path}?" in done.stderr


@pytest.mark.parametrize("command", ["run", "plan", "export", "table", "leaderboard"])
def test_one_and_many_are_the_same_option(command):
    from ddbench.cli.main import bench

    options = {name for option in bench.commands[command].params for name in option.opts}
    assert options >= {"--dataset", "--datasets", "--method", "--methods"}
    if command != "export":
        assert options >= {"--arch", "--archs", "--protocol", "--protocols"}


def test_every_layout_in_every_format(tmp_path):
    kept(tmp_path / "s", {cell(m, seed=s): None for m in ("x", "y") for s in (0, 1)})
    signs = {"md": "|---|", "latex": r"\toprule", "csv": "dataset,", "json": "[\n {", "terminal": "50.0"}
    for layout in ("main", "methods", "ablation", "spread", "cost", "best-last", "balanced", "published"):
        for form, sign in signs.items():
            if layout in ("cost", "best-last") and form == "terminal":
                sign = "d"
            assert sign in table(tmp_path / "s", "--layout", layout, "--format", form), (layout, form)
        out = tmp_path / f"{layout}.parquet"
        assert table(tmp_path / "s", "--layout", layout, "--format", "parquet", "--out", out) == ""
        names = pq.read_table(io.BytesIO(out.read_bytes())).column_names
        assert {"dataset", "method", "ipc"} <= set(names)


def test_a_terminal_that_is_a_file_loses_nothing(tmp_path):
    kept(tmp_path / "s", {cell(f"a_method_with_a_long_name_{i}"): None for i in range(12)})
    shown = table(tmp_path / "s", "--format", "terminal")
    assert "…" not in shown and all(f"a_method_with_a_long_name_{i}" in shown for i in range(12))


def test_a_plain_table_imports_nothing_heavy(tmp_path):
    kept(tmp_path / "s", {cell("x", seed=s): None for s in (0, 1)})
    assert loaded_by_command("table", "--store", str(tmp_path / "s")) == []


@pytest.mark.parametrize("name", ["plot", "report", "table", "leaderboard", "compare", "plan", "published"])
def test_a_file_that_cannot_be_written_is_refused_in_a_line(tmp_path, name):
    """Its folder is a file: nothing that is computed first could be kept."""
    (tmp_path / "a-file").touch()
    store = kept(tmp_path / "store", {cell("random"): None}).root
    words = {
        "plot": ["ipc", store],
        "report": [store],
        "table": ["--store", store],
        "leaderboard": [store],
        "compare": [store, "--a", "method=random", "--b", "method=random"],
        "plan": ["--methods", "random"],
        "published": [],
    }[name]
    done = invoke(name, *words, "--out", tmp_path / "a-file" / "x.png")
    assert done.returncode == 2
    assert "a-file is a file, not a folder. Name a writable file with --out." in done.stderr
    assert done.stderr.count("\n") == 1
