"""``bench info``: options with their types, defaults and meaning, read from the code that uses them."""

import json

import pytest

from ddbench.plugins import registry
from tests.support.invoke import invoke
from tests.support.store import make_store


def about(name, kind):
    (found,) = [one for one in json.loads(invoke("info", name, "--json").stdout) if one["kind"] == kind]
    return found


def test_an_option_has_type_default_and_text():
    options = {option["name"]: option for option in about("rsm", "method")["options"]}
    weight = options["objective.weight"]
    assert (weight["type"], weight["value"]) == ("float >= 0", "0.004")
    assert "0.002 to 0.006 in the paper" in weight["text"]
    assert options["sampler.kind"]["type"] == "ddpm | ddim"


def test_a_name_of_two_kinds_shows_both():
    assert [one["kind"] for one in json.loads(invoke("info", "rsm", "--json").stdout)] == ["method", "objective"]


def test_a_network_is_an_arch_and_a_member_of_a_collection_is_described():
    assert about("network/convnet3", "arch") == about("arch/convnet3", "arch")
    found = about("timm:test_resnet", "arch")
    assert (found["name"], found["reference"]) == ("timm:test_resnet", "ddbench.evaluators.from_timm:Timm")
    assert "nearest" in invoke("info", "timm:test_resnett").stderr
    assert invoke("list", "networks").stdout == invoke("list", "archs").stdout


def test_a_summary_is_a_whole_sentence_wherever_its_lines_end():
    shown = {row["name"]: row["summary"] for row in json.loads(invoke("list", "guidances", "--json").stdout)}
    assert shown["between"].endswith("which repels the means of classes that are near each other.")
    assert shown["cgs"].endswith("(eta_dpp grad L_dpp + eta_dm grad L_dm).")


def test_stages_are_told():
    assert about("rsm_cgs", "method")["stages"] == ["prior", "fit", "distill"]


@pytest.mark.parametrize("kind", ["method", "dataset", "protocol", "objective", "guidance"])
def test_everything_registered_can_be_described(kind):
    for name, entry in registry.entries(kind).items():
        if entry.origin.startswith(registry.DISTRIBUTION):  # another test of this process may have registered more
            found = about(name, kind)
            assert found["text"], name
            assert found["origin"] == entry.origin


def test_the_formulas_of_the_parts_are_shown():
    found = about("rsm_cgs", "method")["parts"]
    assert "weight * |x0_hat|_1" in found["objective: RSM"]
    assert "log det(K + epsilon I)" in found["guidance: CGS"]


def test_a_row_with_options_is_described_as_it_would_be_run():
    found = about("rsm[weight=0.25]", "method")
    assert {option["name"]: option["value"] for option in found["options"]}["objective.weight"] == "0.25"
    assert "guidance: MGD3" in about("dit[guidance=mgd3]", "method")["parts"]


def test_the_cost_is_what_sets_took_in_the_store(tmp_path):
    make_store(tmp_path / "store", methods=("random",), ipc=(2,))
    (found,) = json.loads(invoke("info", "random", "--json", "--store", tmp_path / "store").stdout)
    assert found["cost"] == [{"dataset": "digits", "ipc": 2, "seconds": {"fit": 4.0, "distill": 8.0}}]
    shown = invoke("info", "random", "--store", tmp_path / "store").stdout
    assert "cost in the store, digits at IPC 2: fit 4 s, distill 8 s" in shown


def test_the_page_is_readable_and_names_are_no_markup():
    done = invoke("info", "cgs")
    assert done.returncode == 0
    assert "eta_dpp" in done.stdout


def test_a_slip_is_named_with_the_nearest():
    done = invoke("info", "minimaks")
    assert done.returncode == 2
    assert "Did you mean 'minimax'" in done.stderr


def test_one_kind_can_be_asked_for():
    for arguments in (
        ["objective/rsm"],
        ["objectives/rsm"],
        ["rsm", "--kind", "objective"],
        ["objective/rsm[weight=2]"],
    ):
        (found,) = json.loads(invoke("info", *arguments, "--json").stdout)
        assert (found["kind"], found["name"]) == ("objective", "rsm")


def test_of_a_shared_name_the_page_begins_with_what_follows():
    first, *_ = invoke("info", "igd").stdout.splitlines()
    assert first == (
        "igd is the name of a method and a guidance, which follow. One alone: `bench info method/igd`, "
        "`bench info guidance/igd`"
    )
    assert "which follow" not in invoke("info", "method/igd").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["objectiv/rsm"], "unknown kind 'objectiv'. Did you mean 'objective'?"),
        (
            ["objective/igd"],
            "unknown objective 'igd'. Known: minimax, plain, rsm. It is the name of a method and a guid",
        ),
        (["objective/rsm", "--kind", "method"], "leave one of the two out"),
    ],
)
def test_a_kind_that_does_not_fit_is_one_message(arguments, message):
    done = invoke("info", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_teacher_is_described_where_it_is_chosen():
    refused = invoke("info", "TeacherFile")
    assert refused.returncode == 2
    assert "bench info 'rded@1[teacher=TeacherFile]'" in " ".join(refused.stderr.split())
    shown = invoke("info", "rded@1[teacher=TeacherFile]")
    assert "teacher.sha256" in shown.stdout
    assert "A teacher from a checkpoint" in shown.stdout
