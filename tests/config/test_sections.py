"""Slips in options that no cell of the grid reads: found before anything runs, with the nearest name and the place."""

import pytest

from ddbench.config.files import named_configs
from ddbench.config.schema import load_config
from ddbench.config.sections import check_sections
from ddbench.config.study import resolve
from ddbench.errors import BenchError
from tests.support.light import loaded_by

STUDY = """\
name: toy
grid: {datasets: [digits], methods: [random], ipc: [1], archs: [convnet3-w32], protocol: cpu-small@1, seeds: [0],
  eval_seeds: [0]}
"""

SLIPS = [
    ("methods.diffusion.prior.widht=3", 4, "unknown key 'widht' in methods.diffusion.prior. Did you mean 'width'?"),
    ("methods.diffusion.widht=3", 3, "unknown key 'widht' in methods.diffusion.", "Did you mean 'prior.width'?"),
    ("methods.dm.iteration=3", 3, "unknown key 'iteration' in methods.dm. Did you mean 'iterations'?"),
    ("methods.dm.iterations=many", 3, "bad value 'many' for methods.dm.iterations"),
    ("methods.dm.iterations=true", 3, "bad value True for methods.dm.iterations: it must be a number"),
    ("methods.rsm.objective.weigth=1", 4, "methods.rsm.objective. Did you mean 'weight'?"),
    ("methods.igd.guidance.surrogate.epoch=3", 5, "methods.igd.guidance.surrogate. Did you mean 'epochs'?"),
    ("methods.cgs.guidance.type=cgss", 4, "unknown type 'cgss' in methods.cgs.guidance. Did you mean 'cgs'?"),
    ("methods.dmm.iterations=3", 2, "unknown method or family 'dmm' in methods. Did you mean 'dm'?"),
    ("methods.difusion.replicate=fit", 2, "unknown method or family 'difusion' in methods. Did you mean 'diffusion'?"),
    ("methods.minimax.finetune.rnak=3", 4, "methods.minimax.finetune. Did you mean 'rank'?"),
    ("data.imagenette.rooot=/x", 3, "unknown key 'rooot' in data.imagenette. Did you mean 'root'?"),
    ("data.imagenette.resolution=big", 3, "bad value 'big' for data.imagenette.resolution"),
    ("data.imagenete.root=/x", 2, "unknown dataset 'imagenete' in data. Did you mean 'imagenette'?"),
    ("per_dataset.imagenette.dm.iteration=3", 4, "per_dataset.imagenette.dm. Did you mean 'iterations'?"),
    (
        "per_dataset.imagenette.diffusion.sampler.step=3",
        5,
        "per_dataset.imagenette.diffusion.sampler. Did you mean 'step",
    ),
    ("resources.distil.cpus=1", 2, "unknown kind of stage 'distil' in resources. Did you mean 'distill'?"),
    ("threads.prior=yes", 2, "bad value True for threads.prior", "it must be a number, not true or false"),
]


def nested(assignment):
    """The YAML of ``a.b.c=value``."""
    key, _, value = assignment.partition("=")
    *parents, last = key.split(".")
    lines = [f"{'  ' * depth}{part}:\n" for depth, part in enumerate(parents)]
    return "".join([*lines, f"{'  ' * len(parents)}{last}: {value}\n"])


def refusal(folder, text="", assignments=()):
    path = folder / "toy.yaml"
    path.write_text(STUDY + text)
    with pytest.raises(BenchError) as error:
        resolve(load_config(str(path), {}, list(assignments)))
    return str(error.value)


@pytest.mark.parametrize(("assignment", "depth", "messages"), [(slip, at, messages) for slip, at, *messages in SLIPS])
def test_a_slip_is_refused_with_the_nearest_name_and_where_it_was_written(assignment, depth, messages, tmp_path):
    """``depth``: of the wrong key, or of the key of the wrong value; each key has a line of its own."""
    from_file, from_option = refusal(tmp_path, nested(assignment)), refusal(tmp_path, "", [assignment])
    for message in messages:
        assert message in from_file
        assert message in from_option
    assert f"toy.yaml, line {3 + depth}" in from_file
    assert f"--set {assignment!r}" in from_option


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "methods:\n  dm: {lr: 1}\n  herding: {}\n  dm: {iterations: 2}\n",
            "methods.dm is given twice, in lines 5 and 7",
        ),
        ("data: {}\ndata: {}\n", "the key data is given twice, in lines 4 and 5"),
        ("methods: {dm: {lr: 1, lr: 2}}\n", "the key methods.dm.lr is given twice."),
        ("methods: {dm: &dm {embedder: *dm}}\n", "the anchor in line 4 holds itself"),
        ("methods.dm.lr: 3\n", "toy.yaml, line 4. Did you mean 'methods'?"),
    ],
)
def test_what_yaml_would_take_without_a_word_is_refused(text, message, tmp_path):
    assert message in refusal(tmp_path, text)


def test_an_option_given_twice_within_an_assignment_or_a_variant_is_refused(tmp_path):
    assert "the key lr is given twice" in refusal(tmp_path, "", ["methods.dm={lr: 1, lr: 2}"])
    assert "the key width is given twice" in refusal(tmp_path, "", ["grid.methods=['dit[prior={width: 8, width: 9}]']"])


def test_a_merged_key_may_be_written_again_and_its_line_is_that_of_the_writing(tmp_path):
    text = (
        "methods:\n  cgs: &guided\n    guidance: {eta_dm: 1}\n  rsm_cgs:\n    <<: *guided\n    objectiv: {weight: 2}\n"
    )
    assert "toy.yaml, line 9: unknown key 'objectiv' in methods.rsm_cgs" in refusal(tmp_path, text)
    text = "methods:\n  dm: &dm {lr: 1}\n  dm: *dm\n"
    assert "given twice" in refusal(tmp_path, text)


@pytest.mark.parametrize("name", named_configs())
def test_the_sections_of_every_named_config_are_right_without_its_grid(name):
    check_sections(load_config(name, {}, []), {})


def test_a_combination_that_a_class_refuses_fails_only_the_studies_that_use_it(tmp_path):
    assignments = ["methods.diffusion.sampler.kind=ddim", "methods.mgd3.guidance.scale=1"]  # mgd3 wants ddpm
    (tmp_path / "toy.yaml").write_text(STUDY)
    resolve(load_config(str(tmp_path / "toy.yaml"), {}, assignments))
    assert "set sampler.kind=ddpm" in refusal(tmp_path, "", [*assignments, "grid.methods=[mgd3]"])
    assert "Did you mean 'scale'" in refusal(tmp_path, "", [*assignments, "methods.mgd3.guidance.scal=1"])


BROKEN = """
from dataclasses import dataclass
from ddbench.plugins import registry
registry._decorated["method", "broken"] = registry.Entry("method", "broken", "no_such_module:x", __file__)
registry._decorated["dataset", "lost"] = registry.Entry("dataset", "lost", "no_such_module:x", __file__)
registry.entries.cache_clear()
"""


def test_the_section_of_a_plug_in_that_cannot_be_imported_breaks_no_other(tmp_path):
    path = tmp_path / "brokenparts.py"
    path.write_text(BROKEN)
    (tmp_path / "toy.yaml").write_text(STUDY)
    from ddbench.plugins import registry

    assignments = [f"plugins=[{path}]", "methods.broken.x=1", "data.lost.x=1", "per_dataset.lost.broken.x=1"]
    try:
        resolve(load_config(str(tmp_path / "toy.yaml"), {}, assignments))
        more = [*assignments, "methods.diffusion.prior.widht=1"]
        assert "Did you mean 'width'" in refusal(tmp_path, "", more)
    finally:
        registry.forget(str(path))


def test_checking_every_section_imports_nothing_heavy():
    code = """
from ddbench.config.schema import load_config
from ddbench.config.sections import check_sections
for name in ("digits", "paper", "imagenet1k"):
    check_sections(load_config(name, {}, []), {})
"""
    assert loaded_by(code) == []
