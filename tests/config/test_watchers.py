"""Names of watchers: registered, resolved afresh, and refused by name before any work."""

import json
import sys
from importlib.metadata import EntryPoint

import pytest

from ddbench.config.watchers import resolve_watchers
from ddbench.errors import BenchError
from ddbench.execute.jsonl import JsonLines
from ddbench.plugins import registry
from ddbench.store.opening import open_store
from tests.plugins.test_plugins import QUICK, plugin  # noqa: F401  (a fixture
from tests.support.invoke import invoke

HEAD = """
from dataclasses import dataclass

from ddbench.plugins.registry import register
from ddbench.types import Watcher

"""

COUNTS = (
    HEAD
    + """
@register("watcher", "counts")
@dataclass
class Counts(Watcher):
    \"\"\"Counts records.\"\"\"

    start: int = 0
    where: str = "count.txt"

    def record(self, record):
        self.start += 1
        open(self.where, "w").write(str(self.start))
"""
)

FAILS = (
    HEAD
    + """
@register("watcher", "fails")
class Fails(Watcher):
    \"\"\"Is out of order.\"\"\"

    def stage(self, stage):
        raise RuntimeError("out of order")
"""
)

RUN = ["run", "--methods", "random", *QUICK, "--executor", "inline"]


def test_a_name_has_options():
    assert resolve_watchers(["jsonl", "jsonl[ path = a.jsonl ]"]) == (JsonLines(), JsonLines("a.jsonl"))


def test_each_run_has_watchers_of_its_own():
    (one,), (other,) = resolve_watchers(["jsonl"]), resolve_watchers(["jsonl"])
    assert one is not other


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["jsnol"],
            r"unknown watcher 'jsnol'. Did you mean 'jsonl'\? Known: jsonl. `bench list watchers` describes them.",
        ),
        (["jsonl[pth=x]"], r"unknown key 'pth' in jsonl\[pth=x\]. Did you mean 'path'\?"),
        (["jsonl[path=[1]]"], "bad value"),
        (["jsonl[path=x"], "must be NAME"),
        (["jsonl", " jsonl"], "the watcher 'jsonl' is given twice"),
    ],
)
def test_a_slip_in_a_name_is_answered_with_the_nearest(names, message):
    with pytest.raises(BenchError, match=message):
        resolve_watchers(names)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("object()", "the watcher 'mine' is a object, not a Watcher"),
        ("dict", "the watcher 'mine' is the class dict, not a Watcher"),
        ("len", "the watcher 'mine' is a builtin_function_or_method, not a Watcher"),
        ("Needy", r"the watcher 'mine' cannot be made: TypeError: .*'url'. Give its fields defaults"),
        ("Plain()", "the watcher 'mine' is an instance of Plain: register the class itself"),
    ],
)
def test_a_watcher_that_is_none_is_refused_by_name(plugin, value, message):  # noqa: F811
    text = (
        HEAD + "@dataclass(frozen=True)\nclass Needy(Watcher):\n    url: str\n\n\nclass Plain(Watcher):\n    pass\n\n\n"
    )
    path = plugin("watcher_none", f'{text}register("watcher", "mine")({value})\n')
    done = invoke(*RUN, "--plugin", path, "--watcher", "mine", "--store", path.parent / "store")
    assert done.returncode == 2
    with pytest.raises(BenchError, match=message):
        resolve_watchers(["mine"])
    assert not (path.parent / "store").exists()


def test_one_without_fields_has_no_options(plugin):  # noqa: F811
    path = plugin("watcher_plain", FAILS)
    assert invoke("list", "watchers", "--plugin", path).returncode == 0
    with pytest.raises(BenchError, match="the watcher 'fails' has no options"):
        resolve_watchers(["fails[x=1]"])


def test_a_misspelt_watcher_ends_the_command_before_any_work(tmp_path):
    done = invoke(*RUN, "--watcher", "jsonlines", "--store", tmp_path / "store")
    assert done.returncode == 2
    assert "unknown watcher 'jsonlines'. Did you mean 'jsonl'?" in done.stderr
    assert not (tmp_path / "store").exists()


def test_a_package_whose_watcher_cannot_be_imported_is_named(monkeypatch):
    point, original = EntryPoint("torn", "no_such_tracker:Torn", "bench.watchers"), registry.entry_points
    monkeypatch.setattr(
        registry, "entry_points", lambda group: [*original(group=group), *[point][: group == point.group]]
    )
    registry.entries.cache_clear()
    with pytest.raises(BenchError, match=r"the watcher 'torn' .* cannot be imported: ModuleNotFoundError"):
        resolve_watchers(["torn"])
    registry.entries.cache_clear()


def test_a_file_registers_a_watcher_that_a_run_tells(tmp_path, plugin):  # noqa: F811
    path, count = plugin("watcher_counts", COUNTS), tmp_path / "count"
    lines = tmp_path / "run.jsonl"
    watchers = ["--watcher", f"counts[start=10,where={count}]", "--watcher", f"jsonl[path={lines}]"]
    done = invoke(*RUN, "--plugin", path, *watchers, "--store", tmp_path / "store")
    assert done.returncode == 0, done.stderr
    assert count.read_text() == "11"
    told = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [line["event"] for line in told] == ["begin", "stage", "stage", "record", "end"]
    (record,) = open_store(tmp_path / "store", create=False).records()
    assert told[3]["record"] == json.loads(json.dumps(record.to_json()))
    assert told[-1]["summary"]["outcome"] == "ok"


def test_a_failing_watcher_is_reported_by_its_name_and_the_exit_code_is_that_of_the_study(tmp_path, plugin):  # noqa: F811
    path = plugin("watcher_fails", FAILS)
    plain = invoke(*RUN, "--store", tmp_path / "plain")
    done = invoke(*RUN, "--plugin", path, "--watcher", "fails", "--store", tmp_path / "store")
    assert (done.returncode, done.stdout) == (0, plain.stdout)
    assert done.stderr.count("out of order") == 1
    assert "the watcher 'fails' failed at stage() and is told nothing more" in done.stderr


def test_watchers_change_no_key(tmp_path, plugin):  # noqa: F811
    path = plugin("watcher_keys", COUNTS)
    arguments = [*RUN, "--store", tmp_path / "store", "--json"]
    assert invoke(*arguments).returncode == 0
    done = invoke(*arguments, "--plugin", path, "--watcher", f"counts[where={tmp_path / 'count'}]")
    assert json.loads(done.stdout)["cells"]["cached"] == 1
    assert not (tmp_path / "count").exists()
    sys.modules.pop("watcher_keys")


def test_the_built_in_one_is_listed_and_described():
    (row,) = json.loads(invoke("list", "watchers", "--json").stdout)
    assert (row["name"], row["summary"]) == ("jsonl", "Appends a line of JSON to a file for each event of a run.")
    (about,) = json.loads(invoke("info", "jsonl[path=here.jsonl]", "--json").stdout)
    assert (about["kind"], about["options"][0]["name"], about["options"][0]["value"]) == (
        "watcher",
        "path",
        "here.jsonl",
    )
