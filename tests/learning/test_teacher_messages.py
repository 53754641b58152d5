"""Teachers that are named wrongly or do not fit, and the checkpoints of other code that do."""

import argparse
import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn

from ddbench.config.values import override
from ddbench.config.variants import parse, with_option
from ddbench.errors import BenchError
from ddbench.evaluators.networks import ConvNet
from ddbench.evaluators.rded import rded_1
from ddbench.evaluators.students import BatchNormConvNet, Torchvision
from ddbench.learning.matching import names_in_file
from ddbench.learning.sizes import sizes_in
from ddbench.learning.teacher import TeacherFile, TrainedTeacher
from ddbench.types import DataFacts, LabeledImages, StageContext
from tests.support.invoke import invoke
from tests.support.light import loaded_by

CLASSES = ("a", "b", "c")
FACTS = DataFacts("d", CLASSES, (3, 16, 16))
REAL = LabeledImages(torch.zeros(3, 3, 16, 16, dtype=torch.uint8), torch.arange(3), CLASSES)


class GroupedConvNet(nn.Module):
    """A ConvNet whose convolutions come first and then its norms, under other names, as RDED's file holds them."""

    def __init__(self, own):
        super().__init__()
        blocks = list(own.body)[:-1]
        layers = {kind: nn.ModuleList(blocks[i::4]) for i, kind in enumerate(("conv", "norm", "act", "pool"))}
        self.layers, self.classifier = nn.ModuleDict(layers), own.head


def seeded(network):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return network((3, 16, 16), 3).eval()


def saved(module, path):
    torch.save({"model": module.state_dict(), "epoch": 3}, path)
    return str(path), hashlib.sha256(path.read_bytes()).hexdigest()


def named(file, arch, **more):
    return TeacherFile(file[0], file[1][:8], arch, **more)


@pytest.mark.parametrize(
    ("arch", "network", "as_published"),
    [
        ("convnet2-bn", BatchNormConvNet(depth=2, width=4), GroupedConvNet),
        ("resnet18-modified", Torchvision("resnet18", small_stem=True), lambda own: own.net),
        ("convnet2-bn", BatchNormConvNet(depth=2, width=4), lambda own: own),
    ],
)
def test_a_checkpoint_of_a_registered_arch_is_a_teacher_under_the_names_of_other_code(
    tmp_path, arch, network, as_published
):
    own = seeded(network)
    teacher = named(saved(as_published(own), tmp_path / "t.pth"), arch)
    context = StageContext(seed=0, networks={arch: network})
    assert teacher.networks() == (arch,)
    assert [*teacher.problems(FACTS), *teacher.unfit(network, FACTS)] == []
    batch = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    state = teacher.run(REAL, None, context)
    (tmp_path / "stored").mkdir()
    teacher.save(state, tmp_path / "stored")
    with torch.no_grad():
        assert torch.equal(state(batch), own(batch))
        assert torch.equal(teacher.load(tmp_path / "stored", None, context)(batch), own(batch))


def test_weights_of_another_number_of_classes_or_another_network_are_refused(tmp_path):
    network = BatchNormConvNet(depth=2, width=4)
    teacher = named(saved(GroupedConvNet(seeded(network)), tmp_path / "t.pth"), "convnet2-bn")
    (said,) = teacher.unfit(network, DataFacts("d", tuple("abcde"), (3, 16, 16)))
    assert "knows 3 classes, the dataset has 5" in said
    assert "[teacher=TeacherFile,file=FILE,sha256=DIGITS" in said
    (said,) = teacher.unfit(BatchNormConvNet(depth=3, width=4), FACTS)
    assert "does not hold the weights of teacher.arch 'convnet2-bn'" in said


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_dry_run_tells_a_teacher_of_other_classes_without_torch(tmp_path, suffix):
    from safetensors.torch import save_file

    weights, path = seeded(BatchNormConvNet(depth=2, width=4)).state_dict(), tmp_path / f"t.{suffix}"
    content = weights if suffix == "safetensors" else {"model": weights, "args": argparse.Namespace(lr=0.1)}
    (save_file if suffix == "safetensors" else torch.save)(content, path)
    file = str(path), hashlib.sha256(path.read_bytes()).hexdigest()
    light = {classes: DataFacts("d", tuple("abcdefgh"[:classes]), (3, 16, 16), light=True) for classes in (3, 8)}
    assert named(file, "convnet2-bn").problems(light[3]) == []
    (said,) = named(file, "convnet2-bn").problems(light[8])
    assert "does not know the 8 classes of the dataset" in said
    code = "from pathlib import Path\nfrom ddbench.learning.sizes import sizes_in\n"
    assert loaded_by(f"{code}assert (len(sizes_in(Path({file[0]!r}))) > 3) is {suffix == 'pth'}") == []


def test_nothing_that_a_file_names_is_run_where_its_sizes_are_read(tmp_path):
    class Runs:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    torch.save({"model": {"w": torch.zeros(2, 5)}, "x": Runs()}, tmp_path / "t.pth")
    assert sizes_in(tmp_path / "t.pth") == [(2, 5)]
    assert not (tmp_path / "ran").exists()
    (tmp_path / "no.pth").write_bytes(b"nothing")
    assert sizes_in(tmp_path / "no.pth") == []


def test_layers_are_matched_in_the_order_of_their_kind_and_only_if_all_shapes_agree():
    expected = {"body.0.weight": (4, 3), "body.1.weight": (4, 4), "body.2.scale": (4,)}
    found = {"a.scale": (4,), "b.weight": (4, 3), "c.weight": (4, 4)}
    wanted = {"body.0.weight": "b.weight", "body.1.weight": "c.weight", "body.2.scale": "a.scale"}
    assert names_in_file(found, expected, ordered=True) == wanted
    assert names_in_file(found, expected, ordered=False) == {}
    assert names_in_file({**found, "c.weight": (4, 5)}, expected, ordered=True) == {}


def test_a_teacher_of_rgb_images_is_refused_for_others(tmp_path):
    found = TeacherFile("none.pth", "0" * 8).problems(DataFacts("digits", CLASSES, (1, 8, 8), light=True))
    assert any("takes RGB images, those of digits have 1 channel" in one for one in found)


def test_messages_name_the_options_of_the_teacher_and_what_to_type(tmp_path):
    path = tmp_path / "t.pth"
    file, digits = saved(nn.Linear(1, 1), path)
    light = DataFacts("d", CLASSES, (3, 16, 16), light=True)
    (missing,) = TeacherFile("none.pth", "0" * 8).problems(light)
    (other,) = TeacherFile(file, "0" * 8).problems(light)
    (unknown,) = TeacherFile(file, digits, "torchvision:resnt18").problems(light)
    assert "[teacher=TeacherFile,file=FILE,sha256=DIGITS,arch=torchvision:NAME]" in missing
    assert f"type [teacher=TeacherFile,file=t.pth,sha256={digits[:8]}" in other
    assert "nearest: torchvision:resnet18" in unknown
    assert not any("teacher_" in one or "register a protocol" in one for one in (missing, other, unknown))


def test_a_type_and_its_fields_may_stand_side_by_side_in_either_order():
    for text in ("[teacher=TrainedTeacher,teacher.epochs=5]", "[teacher.epochs=5,teacher=TrainedTeacher]"):
        found = override(rded_1, parse(f"rded@1{text}").changes, "rded@1")
        assert found.teacher == TrainedTeacher(epochs=5)
    with pytest.raises(BenchError, match="given twice"):
        parse("p[teacher=TrainedTeacher,teacher.type=TeacherFile]")
    with pytest.raises(BenchError, match="a value and fields at once"):
        parse("p[temperature=3,temperature.x=5]")


def test_digits_of_a_sha256_that_are_all_decimal_are_text():
    found = override(rded_1, parse("rded@1[teacher=TeacherFile,sha256=12345678]").changes, "rded@1")
    assert found.teacher.sha256 == "12345678"


def test_an_option_is_put_in_place_of_the_one_before_it():
    assert with_option("p@1", "teacher.network", "x") == "p@1[teacher.network=x]"
    assert with_option("p@1[a=[1,2],teacher.network=y]", "teacher.network", "x") == "p@1[a=[1,2],teacher.network=x]"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--methods", "rded"), "--methods 'rded[teacher.network=convnet3-bn]'"),
        (
            ("--methods", "random", "--protocol", "rded@1", "--archs", "convnet3-bn"),
            "--protocol 'rded@1[teacher.network=convnet3-bn]'",
        ),
        (
            ("--methods", "random", "--protocol", "cpu-small-teacher@1[teacher.network=convnet6]"),
            "--protocol 'cpu-small-teacher@1[teacher.network=convnet3-bn]'",
        ),
        (("--methods", "random", "--archs", "convnet6"), "choose another --archs"),
        (("--methods", "random", "--archs", "resnet18-bn"), "needs RGB images"),
    ],
)
def test_a_dry_run_refuses_a_network_that_does_not_fit_and_says_what_to_type(tmp_path, options, said):
    done = invoke("run", *options, "--ipc", "1", "--seeds", "0", "--dry-run", "--store", tmp_path / "s")
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())


def test_the_size_that_a_convnet_needs_is_said_alike_before_and_while_it_is_built():
    for network in (ConvNet(depth=3), BatchNormConvNet(depth=3)):
        (said,) = network.problems(DataFacts("d", CLASSES, (3, 4, 4)))
        with pytest.raises(ValueError, match="depth 3 needs images of 8 px or more, not 4") as error:
            network((3, 4, 4), 3)
        assert str(error.value) == said
