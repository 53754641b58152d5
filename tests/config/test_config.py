"""Configuration files, overrides and command-line lists."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbench.cli.options import integers, names
from ddbench.config.files import named_configs
from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.data.imagefolder import ImageFolder
from ddbench.errors import BenchError

TOKEN = st.text("abc_", min_size=1, max_size=5)


@given(st.lists(st.lists(TOKEN, min_size=1, max_size=3), min_size=1, max_size=3))
def test_commas_and_repeats_are_the_same_list(groups):
    flat = [name for group in groups for name in group]
    assert names([",".join(group) for group in groups]) == names([", ".join(flat)]) == flat


@given(st.integers(0, 50), st.integers(0, 8))
def test_a_range_of_seeds_is_inclusive(start, length):
    assert integers("--seeds", [f"{start}-{start + length}"], ranges=True) == list(range(start, start + length + 1))


@given(st.text(max_size=6).filter(lambda s: not re.fullmatch(r"[\s\d,]*", s)))
def test_what_is_no_number_is_refused_with_an_example(text):
    with pytest.raises(BenchError, match="Example: --ipc 1,10,50"):
        integers("--ipc", [text])


@pytest.mark.parametrize("text", ["2-0", "-1", "1-", "1.5"])
def test_malformed_ranges_are_refused(text):
    with pytest.raises(BenchError, match="--seeds"):
        integers("--seeds", [text], ranges=True)


@pytest.mark.parametrize("name", named_configs())
def test_every_named_config_resolves_where_its_data_is(name, monkeypatch):
    monkeypatch.setattr(ImageFolder, "train_counts", lambda self: (732,) * len(self.classes))
    assert resolve(load_config(name, {}, [])).methods


def test_a_flag_wins_over_the_file_and_set_over_both():
    config = load_config("digits", {"grid.ipc": [3]}, ["grid.ipc=[4, 5]", "methods.rsm.objective.weight=0.5"])
    assert config.grid.ipc == (4, 5)
    assert config.methods["rsm"]["objective"]["weight"] == 0.5


def test_what_an_alias_shares_is_set_in_one_place_alone():
    methods = load_config("digits", {}, ["methods.cgs.guidance.eta_dm=7"]).methods
    assert methods["cgs"]["guidance"] == {"eta_dpp": 0.1, "eta_dm": 7}
    assert methods["rsm_cgs"]["guidance"]["eta_dm"] != 7, "configs/digits.yaml writes both with one anchor"


def refusal(assignments=(), **changes):
    with pytest.raises(BenchError) as error:
        resolve(load_config("digits", {f"grid.{k}": v for k, v in changes.items()}, list(assignments)))
    return str(error.value)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("gird.ipc=1", "unknown key 'gird'"),
        ("grid.ipcs=1", "section grid. Did you mean 'ipc'?"),
        ("threads.pior=1", "section threads. Did you mean 'prior'?"),
        (
            "compute.precison=bfloat16",
            "section compute. Did you mean 'precision'? Known: channels_last, compile, precision.",
        ),
        ("compute.compile=maybe", "bad value 'maybe' for compute.compile"),
        ("compute=float32", "bad value 'float32' for compute in"),
        ("threads.prior=0", "bad value 0 for threads.prior"),
        ("grid.ipc=ten", "bad value 'ten' for grid.ipc"),
        ("split=tset", "bad value 'tset' for split"),
        ("name.x=1", "name is 'digits', it holds no further keys"),
        ("novalue", "is not key=value. Example:"),
        ("a=[1", "is not a YAML value"),
        ("methods.rms.objective.weight=1", "unknown method or family 'rms' in methods. Did you mean 'rsm'?"),
        ("methods.rsm.objectiv.weight=1", "unknown key 'objectiv' in methods.rsm. Did you mean 'objective'?"),
        ("methods.diffusion.prior.training.step=1", "methods.diffusion.prior.training. Did you mean 'steps'?"),
        ("methods.diffusion.sampler.kind=ddmp", "bad value 'ddmp' for methods.diffusion.sampler.kind"),
        ("data.digit.x=1", "unknown dataset 'digit' in data. Did you mean 'digits'?"),
        ("data.digits.x=1", "unknown key 'x' in data.digits"),
        ("per_dataset.digts.rsm.objective.weight=1", "unknown dataset 'digts' in per_dataset"),
        ("per_dataset.digits.rms={}", "unknown method or family 'rms' in per_dataset.digits"),
        ("methods.dm.embedder=convnet33", "unknown arch 'convnet33'. Did you mean 'convnet3'?"),
        ("grid.seeds=[0, 0]", "grid.seeds names 0 twice"),
        ("grid.methods=[]", "grid.methods"),
    ],
)
def test_a_slip_in_a_key_or_value_names_the_place_and_the_nearest_right_thing(assignment, message):
    assert message in refusal([assignment])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": ["rsmcgs"]}, "unknown method 'rsmcgs'. Did you mean 'rsm_cgs'?"),
        ({"datasets": ["digit"]}, "unknown dataset 'digit'. Did you mean 'digits'?"),
        ({"archs": ["resnet"]}, "unknown arch 'resnet'. Did you mean 'resnet18'?"),
        ({"protocol": "cpu-small"}, "unknown protocol 'cpu-small'. Did you mean 'cpu-small@1'?"),
        (
            {"ipc": [107]},
            "its smallest class, '8', has 106 train images, and random makes no more. Use --ipc 106 or less.",
        ),
        ({"ipc": [0]}, "ipc 0 is not a number of images"),
    ],
)
def test_an_unknown_name_or_impossible_ipc_says_what_to_type(changes, message):
    assert message in refusal(**changes)


def test_missing_and_broken_files_are_named(tmp_path):
    for content, message in (
        ("a: [", "cannot read the configuration"),
        ("- x", "must be a YAML mapping"),
        ("name: x", "lacks the key grid"),
    ):
        path = tmp_path / "c.yaml"
        path.write_text(content)
        with pytest.raises(BenchError, match=message):
            load_config(str(path), {}, [])
    with pytest.raises(BenchError, match="there is no configuration file"):
        load_config(str(tmp_path / "no.yaml"), {}, [])
    with pytest.raises(BenchError, match="Did you mean 'digits'"):
        load_config("digit", {}, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "grid:\n\tipc: [1]\n",
            "line 2, column 1 ('ipc: [1]'): while scanning for the next token found character '\\t'",
        ),
        ("grid:\n  ipc: [1\n  seeds: [0]\n", "expected ',' or ']', but got ':'. Close the list with ]."),
        ("grid\n  ipc: [1]\n", "Does a line above lack its colon"),
        ('description: "abc\n', "line 2, column 1 (the end)"),
    ],
)
def test_a_slip_in_yaml_is_shown_with_its_line_and_what_mends_it(tmp_path, text, message):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(BenchError) as error:
        load_config(str(path), {}, [])
    assert message in str(error.value)
    assert "<unicode string>" not in str(error.value)


def test_a_study_without_a_name_is_called_as_its_file(tmp_path):
    path = tmp_path / "m5.yaml"
    grid = "datasets: [digits], methods: [random], ipc: [1], archs: [convnet3], protocol: cpu-small@1, seeds: [0]"
    path.write_text(f"grid: {{{grid}, eval_seeds: [0]}}\n")
    assert load_config(str(path), {}, []).name == "m5"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("retries=-1", "it must be at least 0."),
        ("threads.prior=x", "it must be a whole number."),
        ("device=gpu", "it must be 'cpu' or 'cuda'."),
        ("name=a/b", "it must be letters, digits"),
        (
            "methods.diffusion.sampler.kind=ddmp",
            "it must be 'ddpm' or 'ddim'. Example: methods.diffusion.sampler.kind=",
        ),
        ("methods.rsm.finetune=3", "it must be a mapping of keys to values."),
    ],
)
def test_a_bad_value_is_refused_in_words_of_the_configuration(assignment, message):
    assert message in refusal([assignment])


def test_yaml_that_would_run_code_is_refused(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("name: !!python/object/apply:os.system ['true']")
    with pytest.raises(BenchError, match="cannot read the configuration"):
        load_config(str(path), {}, [])
