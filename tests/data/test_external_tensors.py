"""Distilled sets as tensors, written as the authors' code of DC, DSA, DM, MTT and DATM writes them."""

import pickle

import numpy as np
import pytest
import torch

from ddbench.data.digits import Digits
from ddbench.data.external.levels import Normalisation
from ddbench.data.external.read import Reading, read_sets
from ddbench.errors import BenchError

MEAN, SD = 0.25, 0.5
NAMES = tuple(str(d) for d in range(10))
STATED = Normalisation((MEAN,), (SD,))


def levels(seed=0, ipc=2):
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (10 * ipc, 1, 8, 8), generator=random, dtype=torch.uint8)


def normalised(images, mean=MEAN, sd=SD):
    return (images.float() / 255 - mean) / sd


def read(path, order="dataset", normalisation=STATED, said=None, **more):
    say = (lambda _: None) if said is None else said.append
    return read_sets(path, Digits(), Reading(class_order=order, normalisation=normalisation, **more), say)


def mtt(folder, images, labels, name="best"):
    folder.mkdir(exist_ok=True)
    torch.save(images, folder / f"images_{name}.pt")
    torch.save(labels, folder / f"labels_{name}.pt")
    return folder


def numbers(ipc=2):
    return torch.arange(10).repeat_interleave(ipc)


def results(path, sets, accuracies=None, **how):
    """As DC, DSA and DM save the results of their experiments."""
    accuracies = accuracies or {"ConvNet": [np.float64(0.25), np.float32(0.5), np.int64(3)]}
    torch.save({"data": [[normalised(s), numbers()] for s in sets], "accs_all_exps": accuracies}, path, **how)
    return path


def test_each_experiment_of_a_result_file_is_a_set_with_its_exact_levels(tmp_path):
    sets = [levels(0), levels(1), levels(2)]
    found = read(results(tmp_path / "res_DM_digits_ConvNet_2ipc.pt", sets))
    assert [torch.equal(one.images.images, images) for one, images in zip(found, sets, strict=True)] == [True] * 3
    assert all(torch.equal(one.images.labels, numbers()) for one in found)
    assert found[1].where.endswith("res_DM_digits_ConvNet_2ipc.pt, experiment 1")
    assert [one.clipped for one in found] == [0, 0, 0]


def test_numpy_scalars_of_earlier_releases_are_allowed_by_name_and_afterwards_not(tmp_path):
    path = results(tmp_path / "res_DC_x.pt", [levels()], _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    assert b"numpy._core.multiarray\nscalar" in content
    path.write_bytes(content.replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n"))
    assert len(read(path)) == 1
    with pytest.raises(pickle.UnpicklingError, match="numpy"):
        torch.load(path, weights_only=True)


class Harm:
    """Runs code when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (open, (str(self.file), "w"))


@pytest.mark.parametrize("place", ["res_x.pt", "images_best.pt", "labels_best.pt"])
def test_nothing_in_a_file_is_run(tmp_path, place):
    mtt(tmp_path, normalised(levels()), numbers())
    torch.save({"data": [], "more": Harm(tmp_path / "harmed")}, tmp_path / place)
    with pytest.raises(BenchError, match=r"holds (io|_io|builtins)\.open, which could run code"):
        read(tmp_path / ("res_x.pt" if place == "res_x.pt" else "images_best.pt"))
    assert not (tmp_path / "harmed").exists()


def test_an_archive_with_pickled_objects_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", images=levels().numpy(), labels=np.array([Harm(tmp_path / "harmed")] * 20, object))
    with pytest.raises(BenchError, match="Python objects, which could run code"):
        read(tmp_path / "x.npz")
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("labels", [numbers(), numbers().float(), numbers().int()[:, None], torch.eye(10)[numbers()]])
def test_tensors_of_images_and_labels_are_read_from_the_file_or_its_folder(tmp_path, labels):
    folder, said = mtt(tmp_path / "mtt", normalised(levels()), labels), []
    torch.save(torch.tensor(0.02), folder / "lr_best.pt")
    torch.save(normalised(levels(5)), folder / "images_0.pt")
    for path in (folder, folder / "images_best.pt"):
        (found,) = read(path, said=said)
        assert torch.equal(found.images.images, levels())
        assert torch.equal(found.images.labels, numbers())
        assert found.images.soft is None
    assert sum("lr_best.pt is a learned learning rate and is not used" in line for line in said) == 2
    assert sum("images_0.pt in its folder not" in line for line in said) == 1


def test_images_in_any_layout_and_order_of_labels_come_in_the_order_of_the_classes(tmp_path):
    order = torch.randperm(20, generator=torch.Generator().manual_seed(3))
    images, labels = levels()[order], numbers()[order]
    forms = {"grey": images[:, 0], "last": images.permute(0, 2, 3, 1), "first": images}
    for name, form in forms.items():
        np.savez(tmp_path / f"{name}.npz", images=form.numpy(), labels=labels.numpy())
        (found,) = read(tmp_path / f"{name}.npz", normalisation=None)
        assert torch.equal(found.images.images, images[labels.sort(stable=True).indices])


def test_names_in_an_archive_need_no_order(tmp_path):
    names = np.array([f"{d}" for d in numbers().tolist()])
    np.savez(tmp_path / "x.npz", x=normalised(levels()).numpy(), y=names)
    (found,) = read(tmp_path / "x.npz", order=None)
    assert torch.equal(found.images.images, levels())


def test_a_class_order_says_which_class_a_number_is(tmp_path):
    folder = mtt(tmp_path / "mtt", normalised(levels()), numbers())
    (tmp_path / "order.txt").write_text("\n".join(reversed(NAMES)) + "\n")
    (tmp_path / "order.json").write_text('{"' + '", "'.join(f'{i}": "{9 - i}' for i in range(10)) + '"}')
    for name in ("order.txt", "order.json"):
        (found,) = read(folder, order=str(tmp_path / name))
        assert torch.equal(found.images.images, levels().view(10, 2, 1, 8, 8).flip(0).view(20, 1, 8, 8))


def test_logits_become_probabilities_and_the_class_is_the_largest(tmp_path):
    logits, said = 4 * torch.eye(10)[numbers()] + torch.arange(10) / 10, []
    (found,) = read(mtt(tmp_path, normalised(levels()), logits), said=said)
    assert torch.equal(found.images.labels, numbers())
    torch.testing.assert_close(found.images.soft, logits.softmax(1))
    assert any("taken as logits" in line for line in said)


def test_probabilities_stay_what_they_are_and_follow_a_class_order(tmp_path):
    rows = 0.75 * torch.eye(10)[numbers()] + 0.25 * torch.eye(10).roll(1, 1)[numbers()]
    (tmp_path / "order.txt").write_text("\n".join(reversed(NAMES)))
    (found,) = read(mtt(tmp_path / "a", normalised(levels()), rows), order=str(tmp_path / "order.txt"))
    torch.testing.assert_close(found.images.soft, rows.flip(0, 1))


def test_where_trained_soft_labels_disagree_the_place_gives_the_class(tmp_path):
    rows, said = 4 * torch.eye(10)[numbers()], []
    rows[0] = 4 * torch.eye(10)[7]
    (found,) = read(mtt(tmp_path, normalised(levels()), rows), said=said)
    assert torch.equal(found.images.labels, numbers())
    assert found.images.soft[0].argmax() == 7
    assert any("of 1 of 20 images is not that of their place" in line for line in said)


def test_values_outside_the_range_of_pixels_are_clipped_and_counted(tmp_path):
    floats = normalised(levels())
    floats[:, :, 0, 0], floats[:, :, 0, 1] = 9.0, -9.0
    said = []
    (found,) = read(mtt(tmp_path, floats, numbers()), said=said)
    assert found.clipped == 2 / 64
    assert found.images.images[:, 0, 0, :2].tolist() == [[255, 0]] * 20
    assert any("3.12% of its values lie outside [0, 1] and are clipped" in line for line in said)


def test_images_of_another_size_are_resized_only_with_leave(tmp_path):
    large = torch.full((20, 1, 16, 16), 77, dtype=torch.uint8)
    torch.save({"images": large, "labels": numbers()}, tmp_path / "x.pt")
    with pytest.raises(BenchError, match=r"image 0 is 16 x 16 pixels"):
        read(tmp_path / "x.pt", normalisation=None)
    (found,) = read(tmp_path / "x.pt", normalisation=None, resize=True)
    assert torch.equal(found.images.images, torch.full((20, 1, 8, 8), 77, dtype=torch.uint8))


def wrong(name, images=None, labels=None, folder="set", **reading):
    return pytest.param(images, labels, folder, reading, id=name)


@pytest.mark.parametrize(
    ("images", "labels", "folder", "reading", "message"),
    [
        (*p.values, message)
        for p, message in [
            (wrong("nothing stated", order=None, normalisation=None), r"--mean .* --sd .*; .* --class-order FILE"),
            (wrong("floats unexplained", normalisation=None), r"its pixels are floats: state .* --mean"),
            (wrong("numbers unexplained", order=None), r"its classes are numbers: state which .* \(0, 1, 2, ...\)"),
            (wrong("levels normalised", images=levels()), "holds whole levels, not normalised floats"),
            (wrong("whitened by its folder", folder="cifar10_zca_50"), r"says ZCA-whitened \(cifar10_zca_50\)"),
            (wrong("mean of another set", normalisation=Normalisation((40.0,), (9.0,))), "not what the images were"),
            (wrong("three means", normalisation=Normalisation((0.1, 0.2, 0.3), (1.0,))), "--mean has 3 numbers and"),
            (wrong("not finite", images=torch.full((20, 1, 8, 8), torch.nan)), "not finite"),
            (wrong("four channels", images=torch.zeros(20, 4, 8, 8)), r"its tensor is 20 x 4 x 8 x 8"),
            (wrong("too few labels", labels=numbers()[:-1]), "20 images and 19 labels"),
            (wrong("halves", labels=numbers() / 2), r"whole numbers from 0; one is 0.5"),
            (wrong("negative", labels=numbers() - 1), r"whole numbers from 0; one is -1"),
            (wrong("too high", labels=numbers() + 1), r"class number 10 is none of the 10 of the order of digits"),
            (wrong("soft of others", labels=torch.rand(20, 7)), r"of 7 classes, and the order of digits has 10"),
        ]
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, images, labels, folder, reading, message):
    images = normalised(levels()) if images is None else images
    path = mtt(tmp_path / folder, images, numbers() if labels is None else labels)
    with pytest.raises(BenchError, match=message) as error:
        read(path, **reading)
    assert "\n" not in str(error.value)


def test_files_that_are_none_of_the_forms_are_said(tmp_path):
    torch.save({"weights": torch.zeros(3)}, tmp_path / "model.pt")
    torch.save(torch.zeros(3), tmp_path / "x.pt")
    torch.save(normalised(levels()), tmp_path / "images_7.pt")
    (tmp_path / "broken.pt").write_bytes(b"nothing")
    (tmp_path / "broken.npz").write_bytes(b"nothing")
    (tmp_path / "notes.txt").write_text("")
    for name, message in {
        "model.pt": "it holds the keys weights",
        "x.pt": "holds one tensor and no labels",
        "images_7.pt": "labels_7.pt is missing",
        "labels_best.pt": "no folder or file|holds no images by its name",
        "broken.pt": r"cannot be read as a file of tensors: [^.]*\w\. Save the tensors alone",
        "broken.npz": "cannot be read as arrays",
        "notes.txt": "is no distilled set",
    }.items():
        with pytest.raises(BenchError, match=message):
            read(tmp_path / name)
    with pytest.raises(BenchError, match=r"5 files of tensors \(broken.npz, broken.pt, .*name the one"):
        read(tmp_path)
    with pytest.raises(BenchError, match="--sd is missing"):
        Normalisation.stated((0.5,), ())
