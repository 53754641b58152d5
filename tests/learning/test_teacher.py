"""Teachers: trained once by the plan or read from a checkpoint, shared by all that ask for an equal one."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import save_file

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.evaluators.networks import ConvNet
from ddbench.evaluators.teaching import TeacherLabels, cpu_small_teacher_1
from ddbench.learning.checkpoint import open_teacher
from ddbench.learning.colours import normalise
from ddbench.learning.teacher import TeacherFile, TrainedTeacher, resized, side_of
from ddbench.plan.build import make_plan
from ddbench.types import DataFacts, LabeledImages, StageContext
from tests.support.invoke import invoke

NETWORKS = {"small": ConvNet(depth=2, width=8)}
QUICK = TrainedTeacher(network="small", epochs=12, batch=10, lr=1e-2, mirror=False)
PROTOCOL = "cpu-small-teacher@1"


def brightness(classes=("dark", "grey", "light"), n=10, seed=0):
    """Classes of grey images, each brighter than the one before, in the alphabetical order of their names."""
    order = sorted(classes)
    levels = torch.tensor([order.index(name) for name in classes])
    labels = torch.arange(len(classes)).repeat_interleave(n)
    noise = torch.randint(-30, 30, (len(labels), 1, 8, 8), generator=torch.Generator().manual_seed(seed))
    return LabeledImages((60 + 60 * levels[labels].view(-1, 1, 1, 1) + noise).to(torch.uint8), labels, tuple(classes))


def context(**more):
    return StageContext(seed=0, networks=NETWORKS, **more)


def taught(data):
    return QUICK.run(data, None, context())


def logits(state, data):
    with torch.no_grad():
        return state(normalise(resized(data.images, state.size, False)))


def test_a_teacher_learns_and_is_the_same_after_it_is_stored(tmp_path):
    data, logged = brightness(), {}
    state = QUICK.run(data, None, context(log=logged.update))
    assert logged["train_top1"] > 0.9
    found = logits(state, brightness(seed=1))
    assert (found.argmax(1) == data.labels).float().mean() > 0.9
    assert not state.network.training
    QUICK.save(state, tmp_path)
    again = QUICK.load(tmp_path, None, context())
    assert torch.equal(logits(again, brightness(seed=1)), found)
    assert again.classes == state.classes == ("dark", "grey", "light")


def test_its_outputs_are_the_classes_sorted_by_name():
    mixed = brightness(("light", "dark", "grey"))
    state = taught(mixed)
    right = torch.tensor([state.classes.index(mixed.classes[k]) for k in mixed.labels.tolist()])
    assert state.classes == ("dark", "grey", "light")
    assert (logits(state, mixed).argmax(1) == right).float().mean() > 0.9


def test_a_batch_of_another_size_is_resized_to_its_own():
    state, batch = taught(brightness()), torch.rand(2, 1, 24, 24)
    assert state.size == (16, 16)
    smaller = torch.nn.functional.interpolate(batch, size=(16, 16), mode="bilinear", antialias=True)
    torch.testing.assert_close(state(batch), state(smaller))


def test_the_side_is_the_first_that_is_not_smaller():
    assert [side_of(side, (32, 64, 224), 16) for side in (8, 32, 33, 64, 65, 256)] == [32, 32, 64, 64, 224, 224]
    assert [side_of(side, (), 16) for side in (8, 16, 40)] == [16, 16, 40]


def test_grey_images_are_normalised_by_the_means_of_imagenets_constants():
    grey = torch.full((1, 1, 2, 2), (0.485 + 0.456 + 0.406) / 3)
    assert normalise(grey).abs().max() < 1e-6
    one = normalise(grey + (0.229 + 0.224 + 0.225) / 3)
    torch.testing.assert_close(one, torch.ones_like(one))


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_checkpoint_is_a_teacher_too(tmp_path, suffix):
    import timm

    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights = timm.create_model("test_resnet", pretrained=False, num_classes=3).state_dict()
    file = tmp_path / f"teacher.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(weights, file)
    sha = hashlib.sha256(file.read_bytes()).hexdigest()
    named = TeacherFile(str(file), sha[:8], "timm:test_resnet")
    classes = ("a", "b", "c")
    assert list(named.problems(DataFacts("d", classes, (3, 32, 32)))) == []
    assert (
        "SHA-256"
        in TeacherFile(str(file), "0" * 8, "timm:test_resnet").problems(
            DataFacts("d", classes, (3, 32, 32), light=True)
        )[0]
    )
    (tmp_path / "stored").mkdir()
    data = LabeledImages(torch.zeros(3, 3, 32, 32, dtype=torch.uint8), torch.arange(3), classes)
    named.save(named.run(data, None, context()), tmp_path / "stored")
    batch = torch.rand(2, 3, 32, 32)
    expected = open_teacher(str(file), sha, 3, "cpu", "timm:test_resnet")
    assert torch.equal(named.load(tmp_path / "stored", None, context())(batch), expected(batch))


def planned(protocol=PROTOCOL, *assignments):
    changes = {"grid.methods": ["full", "random", "dm"], "grid.ipc": [1, 2], "grid.protocol": protocol}
    return make_plan(resolve(load_config("digits", changes, assignments)))


def keys(plan, kind):
    return {key for key, stage in plan.stages.items() if stage.kind == kind}


def test_all_cells_share_one_teacher_and_wait_for_it():
    plan = planned()
    (teacher,) = keys(plan, "teacher")
    judging = [stage for stage in plan.stages.values() if stage.kind == "evaluate"]
    assert all(teacher in stage.waits_for and stage.task["chain"] == [teacher] for stage in judging)
    assert all(teacher not in stage.parents for stage in judging)


def test_another_recipe_is_another_teacher_and_makes_no_set_again():
    plan, other = planned(), planned(f"{PROTOCOL}[teacher.epochs=61]")
    assert keys(plan, "teacher").isdisjoint(keys(other, "teacher"))
    assert keys(plan, "evaluate").isdisjoint(keys(other, "evaluate"))
    assert keys(plan, "distill") == keys(other, "distill")


def test_a_protocol_without_teacher_has_no_such_stage_and_no_trace_of_one():
    plan = planned("cpu-small@1")
    assert not keys(plan, "teacher")
    assert all("chain" not in stage.task for stage in plan.stages.values() if stage.kind == "evaluate")


def test_records_tell_the_recipe_the_accuracy_and_the_bytes_of_a_teacher(tmp_path):
    quick = "cpu-small-teacher@1[teacher.epochs=3]"
    options = ("--methods", "random", "--ipc", 1, "--seeds", "0,1", "--eval-seeds", 0, "--protocol", quick)
    done = invoke("run", *options, "--store", tmp_path / "s", "--executor", "inline")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "s/artifacts/teacher").iterdir())) == 1
    for path in (tmp_path / "s/records").glob("*.json"):
        record = json.loads(path.read_text())
        (state,) = record["config"]["evaluate"]["state"]
        assert (state["network"], state["epochs"], state["stage"]) == ("convnet3-w32", 3, "teacher")
        (judge,) = record["run"]["judge"]
        assert judge["seconds"] > 0
        assert 0.1 < judge["log"]["train_top1"] <= 1
        logged = record["run"]["log"]
        assert 0.1 < logged["teacher_top1"] <= 1
        assert logged["soft_label_bytes"] == 200 * 10 * 10 * 2  # epochs, images, classes, bytes in half precision
        assert logged["teacher_bytes"] > 4 * 10_000


def test_a_student_learns_from_the_teacher_and_not_from_the_labels():
    data = brightness()
    wrong = LabeledImages(data.images, data.labels.flip(0), data.classes)
    judge = TeacherLabels(epochs_by_ipc=((100, 15),), evaluations=1, normalisation="imagenet", temperature=2.0)
    result = judge.evaluate(wrong, brightness(seed=1), NETWORKS["small"], context(state=taught(data)))
    assert result.curve[-1][1] > 0.9


def test_a_student_too_small_for_the_images_is_refused_before_anything_runs(tmp_path):
    options = ("--methods", "random", "--ipc", 1, "--archs", "convnet6", "--protocol", "cpu-small@1")
    done = invoke("run", *options, "--store", tmp_path / "s", "--executor", "inline")
    assert done.returncode == 2
    assert "ConvNet of depth 6 needs images of 64 px or more, not 16" in done.stderr
    assert "bench list archs" in done.stderr
    assert not list(tmp_path.glob("s/records/*"))


def test_a_teacher_too_small_for_the_images_is_refused_too(tmp_path):
    options = ("--methods", "random", "--ipc", 1, "--protocol", f"{PROTOCOL}[teacher.network=convnet6-bn]")
    done = invoke("run", *options, "--store", tmp_path / "s", "--executor", "inline", "--dry-run")
    assert done.returncode == 2
    assert "ConvNet of depth 6 needs images of 64 px or more" in done.stderr


def test_the_default_protocol_of_teachers_mirrors_no_digit():
    assert isinstance(cpu_small_teacher_1.teacher, TrainedTeacher)
    assert not cpu_small_teacher_1.teacher.mirror
