"""What somebody who adds parts of her own types next, and what she is told when it is not the right thing."""

import json
import sys

import pytest

from ddbench.execute import cluster
from ddbench.plugins import registry
from ddbench.plugins.files import load_plugins
from tests.plugins.test_plugin_slips import DATASET, own
from tests.plugins.test_plugins import PARTS, QUICK, plugin  # noqa: F401  (a fixture
from tests.support.invoke import invoke

PROTOCOL = '''
from ddbench.evaluators.protocols import HardLabels
from ddbench.plugins.registry import register

fast = register("protocol", "fast@1")(HardLabels(epochs_by_ipc=((1, 2),)))
"""hard labels, two epochs"""
'''


def test_a_protocol_named_as_a_method_is_told_what_checks_it(plugin):  # noqa: F811
    done = invoke("check", "fast@1", "--plugin", plugin("slip_protocol", PROTOCOL))
    assert done.returncode == 2
    assert "fast@1 is a protocol: it judges with --protocol fast@1" in done.stderr


def test_an_unknown_method_may_be_in_a_file(plugin):  # noqa: F811
    done = invoke("run", "--methods", "mine", *QUICK, "--dry-run")
    assert done.returncode == 2 and "known with --plugin FILE" in done.stderr


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (["run", "--methods", "mine", *QUICK, "--dry-run"], '@register("method", "mine")'),
        (["run", "--datasets", "mine", *QUICK, "--dry-run"], '@register("dataset", "mine")'),
        (["run", "--methods", "dit[objective=mine]", *QUICK, "--dry-run"], '@register("objective", "mine")'),
        (["check", "mine"], '@register("method", "mine")'),
        (["info", "mine"], '@register("method", "mine")'),
    ],
)
def test_a_file_that_registers_nothing_is_named_and_shown_how(plugin, command, word):  # noqa: F811
    file = plugin("silent", "mine = 1\n")
    done = invoke(*command, "--plugin", file)
    assert done.returncode == 2
    assert f"{file} registers nothing: write {word} above the class" in done.stderr
    assert "known with --plugin FILE" not in done.stderr


def test_listing_says_that_a_file_registers_nothing(plugin):  # noqa: F811
    done = invoke("list", "methods", "--plugin", file := plugin("silent", "mine = 1\n"))
    assert done.returncode == 0
    assert f'{file} registers nothing: write @register("method", "NAME")' in done.stderr


def test_the_text_below_an_assignment_describes_what_it_registers(plugin):  # noqa: F811
    load_plugins([str(plugin("told_protocol", PROTOCOL))])
    assert registry.entries("protocol")["fast@1"].summary() == "hard labels, two epochs"


def test_one_name_of_a_network_is_no_tuple_of_names(plugin):  # noqa: F811
    source = own(more="    def networks(self):\n        return 'convnet3'\n")
    done = invoke("run", "--plugin", plugin("slip_networks", source), "--methods", "mine", *QUICK, "--dry-run")
    assert done.returncode == 2
    assert "Mine.networks() returns 'convnet3': it must be a tuple of names, such as ('convnet3',)." in done.stderr


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        ("self.strength * sets.latents[:1, :1]", "the correction of the guidance has shape (1, 1, "),
        ("self.strength * sets.mean", "the correction of the guidance has shape (4, "),
    ],
)
def test_a_correction_of_another_shape_is_told_as_one(plugin, returned, told):  # noqa: F811
    head, _, _ = PARTS.partition("        return")
    path = plugin("slip_shape", f"{head}        return {returned}\n")
    done = invoke("check", "dit[guidance=still]", "--plugin", path)
    assert done.returncode == 3
    assert told in done.stdout and "-> mend what raises" in done.stdout


def test_a_report_of_a_plugins_dataset_shows_its_images_and_bears_its_name(plugin, tmp_path):  # noqa: F811
    path, store, page = plugin("report_data", DATASET), tmp_path / "s", tmp_path / "r.html"
    study = ("--methods", "random,full", "--datasets", "mine", "--ipc", "1", "--seeds", "0", "--eval-seeds", "0")
    done = invoke("run", "--plugin", path, *study, "--executor", "inline", "--store", store)
    assert done.returncode == 0, done.stderr
    assert f"--plugin {path}" in done.stderr.partition("Next:")[2]
    sys.modules.pop("report_data")  # as in a new process
    registry.forget(str(path))
    without = invoke("report", store, "--out", page)
    assert "the real images of mine are left out" in without.stderr and "--plugin FILE" in without.stderr
    assert "left out" not in invoke("report", store, "--plugin", path, "--out", page).stderr
    text = page.read_text()
    assert "<h1>mine</h1>" in text and "handwritten" not in text
    status = json.loads(invoke("status", "--store", store, "--json").stdout)
    assert "mine" in json.dumps(status)


@pytest.mark.parametrize(("code", "expected"), [(15, KeyboardInterrupt), (1, cluster.BenchError)])
def test_a_signal_while_ray_starts_is_no_fault_of_the_folder(code, expected):
    class Ray:
        @staticmethod
        def init(**_):
            raise SystemExit(code)

    with pytest.raises(expected):
        cluster._connect(Ray, "Ray cannot start here", "")


def test_network_is_another_word_for_arch_in_a_file_too(plugin):  # noqa: F811
    source = "from ddbench.plugins.registry import register\n\nmine = register('network', 'mine')(object())\n"
    load_plugins([str(plugin("wordy", source))])
    assert "mine" in registry.entries("arch")
