"""Coresets: the greedy choices against values worked out by hand, and the embedder that they rest on."""

import filecmp

import pytest
import torch

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.evaluators.networks import convnet3_w32
from ddbench.methods.coreset import herd, k_center
from ddbench.methods.embedder import Scaling, TrainedEmbedder
from ddbench.plan.build import make_plan
from ddbench.stages.run import run_stage
from ddbench.store.distilled import load_distilled
from ddbench.store.opening import open_store
from ddbench.types import LabeledImages, StageContext
from tests.methods.test_dm import LargestTensor, random_images

LINE = torch.tensor([[0.0], [1.0], [2.0], [3.0], [10.0]])  # mean 3.2
TRAINING = TrainedEmbedder(network="net", epochs=1, batch=8)


def context(log=None):
    return StageContext(seed=0, networks={"net": convnet3_w32}, log=log or (lambda _: None))


def test_herding_keeps_the_running_mean_nearest_to_the_mean():
    # 3; then (3 + 2) / 2 = 2.5 beats 2.0 and 6.5; then 6 / 3 = 2 beats 15 / 3 = 5; then 16 / 4 = 4 beats 6 / 4.
    assert herd(LINE, 5).tolist() == [3, 2, 1, 4, 0]


def test_k_center_takes_the_one_farthest_from_those_chosen():
    # 3 is nearest to the mean; 10 is 7 away, then 0 is 3 away, then 1 and 2 are both 1 away.
    assert k_center(LINE, 5).tolist() == [3, 4, 0, 1, 2]


def test_herding_in_the_plane_balances_the_corners_of_a_square():
    square = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [-1.0, 1.0]])
    assert herd(square, 2).tolist() == [0, 2]  # opposite corners have the mean of all


def test_k_center_covers_each_of_three_clusters_before_any_twice():
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    points = centres.repeat_interleave(5, 0) + 0.1 * torch.arange(15)[:, None].remainder(5)
    assert sorted((k_center(points, 3) // 5).tolist()) == [0, 1, 2]


@pytest.mark.parametrize("choose", [herd, k_center])
def test_equal_features_are_still_different_images(choose):
    assert choose(torch.ones(5, 2), 5).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("choose", [herd, k_center])
def test_a_smaller_set_is_the_beginning_of_a_larger_one(choose):
    features = torch.randn(30, 8, generator=torch.Generator().manual_seed(0))
    assert choose(features, 12)[:5].tolist() == choose(features, 5).tolist()


@pytest.mark.parametrize("choose", [herd, k_center])
def test_where_the_origin_lies_does_not_matter(choose):
    features = torch.randint(-50, 50, (30, 3), generator=torch.Generator().manual_seed(0)).float()
    assert choose(features + 1e5, 10).tolist() == choose(features, 10).tolist()


def test_scaling_gives_each_channel_mean_zero_and_deviation_one():
    images = torch.randint(0, 200, (600, 3, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    scaled = Scaling.of(images, min_side=1)(images, "cpu").double()
    torch.testing.assert_close(scaled.mean((0, 2, 3)), torch.zeros(3, dtype=torch.double), rtol=0, atol=1e-5)
    torch.testing.assert_close(scaled.std((0, 2, 3), correction=0), torch.ones(3, dtype=torch.double))


def test_a_constant_channel_is_scaled_to_zero():
    images = torch.full((2, 1, 4, 4), 7, dtype=torch.uint8)
    assert Scaling.of(images, min_side=1)(images, "cpu").abs().max() == 0


@pytest.mark.parametrize(("size", "expected"), [((8, 8), (16, 16)), ((8, 12), (16, 24)), ((32, 40), (32, 40))])
def test_only_small_images_are_enlarged_and_keep_their_aspect(size, expected):
    scaling = Scaling(mean=(0.0,), sd=(1.0,), min_side=16)
    assert scaling(torch.full((1, 1, *size), 9, dtype=torch.uint8), "cpu").unique().tolist() == [9.0]
    assert scaling(torch.zeros(1, 1, *size, dtype=torch.uint8), "cpu").shape[2:] == expected


def test_the_embedder_learns_what_tells_the_classes_apart():
    ramp = torch.arange(8).mul(30).expand(8, 8)
    random = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 40, (80, 8, 8), generator=random)
    images = torch.cat([ramp.expand(40, 8, 8), ramp.T.expand(40, 8, 8)]) + noise
    real = LabeledImages(images[:, None].to(torch.uint8), torch.arange(2).repeat_interleave(40), ("a", "b"))
    logged = {}
    TrainedEmbedder(network="net", epochs=3, batch=16).run(real, None, context(logged.update))
    assert logged["train_top1"] == 1.0
    assert logged["loss"] < 0.5


def test_a_saved_embedder_is_the_same_one_and_equal_embedders_are_equal_files(images, tmp_path):
    made = TRAINING.run(images, None, context())
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        TRAINING.save(made, tmp_path / name)
    loaded = TRAINING.load(tmp_path / "first", None, context())
    assert torch.equal(loaded.features(images.images), made.features(images.images))
    assert (loaded.scaling, loaded.shape, loaded.classes) == (made.scaling, made.shape, made.classes)
    names = [path.name for path in (tmp_path / "first").iterdir()]
    assert filecmp.cmpfiles(tmp_path / "first", tmp_path / "second", names, shallow=False)[0] == names


def test_features_are_flat_floats_of_each_image_alone(images):
    embedder = TRAINING.run(images, None, context())
    features = embedder.features(images.images)
    assert (features.shape, features.dtype) == ((40, 32 * 2 * 2), torch.float32)
    torch.testing.assert_close(embedder.features(images.images[7:8]), features[7:8])


def test_the_embedders_seed_alone_decides_it(images):
    one, same, other = (
        TrainedEmbedder(network="net", epochs=1, seed=s).run(images, None, context()).features(images.images)
        for s in (0, 0, 1)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_no_tensor_of_the_training_grows_with_the_dataset():
    sizes = []
    for each in (300, 2000):
        real = random_images(2, each)
        with LargestTensor() as largest:
            TRAINING.run(real, None, context())
        sizes.append(largest.size)
    assert sizes[0] == sizes[1] < 4000 * 64


def study(**options):
    changes = {
        "grid.methods": ["herding", "kcenter"],
        "grid.ipc": [1, 2],
        "grid.seeds": [0, 1],
        "grid.eval_seeds": [0],
        **{
            f"methods.{name}.embedder": {"network": "convnet3-w32", "epochs": 1, "batch": 256, **options}
            for name in ("herding", "kcenter")
        },
    }
    return make_plan(resolve(load_config("digits", changes, [])))


def test_methods_and_ipcs_share_the_embedder_of_a_seed():
    counts = study().counts()
    assert (counts["embed"], counts["distill"]) == (2, 8)


def test_an_option_of_the_embedder_reaches_every_key_behind_it():
    before, after = ({s.key for s in study(epochs=e).stages.values()} for e in (1, 2))
    assert not before & after


def test_the_stages_run_in_a_store_and_seeds_choose_other_images(tmp_path):
    plan, store = study(), open_store(tmp_path / "store", create=True)
    sets = {}
    for stage in plan.stages.values():
        if stage.kind != "evaluate":
            result = run_stage(stage, str(store.root))
            assert result.outcome == "ok", result.traceback
        if stage.kind == "distill":
            sets[stage.label] = load_distilled(store, stage.key).images
    for name in ("herding", "kcenter"):
        first, other = (sets[f"digits/{name}/ipc2/seed{s}"] for s in (0, 1))
        assert not torch.equal(first, other)
        assert torch.equal(first[::2], sets[f"digits/{name}/ipc1/seed0"])
