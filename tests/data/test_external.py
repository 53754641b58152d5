"""Distilled sets that somebody else made, read from folders."""

import json

import pytest
import torch
from PIL import Image

from ddbench.data.anyfolder import AnyFolder
from ddbench.data.digits import Digits
from ddbench.data.external.names import ClassNames
from ddbench.data.external.read import Reading, read_sets
from ddbench.data.imagenet import ImageNet1K
from ddbench.data.imagenet_subsets import NETTE, WOOF, ImageNette
from ddbench.errors import BenchError


def read_external(folder, dataset, resize=False, say=lambda _: None, **reading):
    """The only set in ``folder``."""
    (found,) = read_sets(folder, dataset, Reading(resize, **reading), say)
    return found.images


def pixels(label, i, side=8):
    return torch.full((side, side), 20 * label + i, dtype=torch.uint8)


def write(folder, ipc=2, names=None, side=8):
    """What a stranger's script might do: class folders of PNG files by plain Pillow."""
    for label, name in enumerate(names or [str(d) for d in range(10)]):
        (folder / name).mkdir(parents=True)
        for i in range(ipc):
            Image.fromarray(pixels(label, i, side).numpy()).save(folder / name / f"img_{i}.png")
    return folder


def test_class_folders_are_read_in_the_order_of_the_classes(tmp_path):
    found = read_external(write(tmp_path / "mine"), Digits(), resize=False)
    assert found.labels.tolist() == [d for d in range(10) for _ in range(2)]
    expected = torch.stack([pixels(d, i) for d in range(10) for i in range(2)])[:, None]
    assert torch.equal(found.images, expected)
    assert found.soft is None


def test_a_folder_that_holds_only_train_is_read_there(tmp_path):
    write(tmp_path / "mine" / "train")
    assert len(read_external(tmp_path / "mine", Digits(), resize=False)) == 20


def test_class_names_are_known_beside_wnids_in_any_spelling(tmp_path):
    written = [name.upper().replace(" ", "_") for name in NETTE.values()]
    dataset = ImageNette(resolution=8)
    found = read_external(write(tmp_path / "a", names=written), dataset, resize=False)
    same = read_external(write(tmp_path / "b", names=list(NETTE)), dataset, resize=False)
    assert torch.equal(found.images, same.images)
    assert torch.equal(found.labels, same.labels)
    assert found.shape == (3, 8, 8)


def test_the_names_of_imagenet_classes_are_torchvisions():
    from torchvision.models import ResNet18_Weights

    known = ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    ids = {**dict(zip(NETTE, (0, 217, 482, 491, 497, 566, 569, 571, 574, 701), strict=True))}
    ids |= dict(zip(WOOF, (155, 159, 162, 167, 182, 193, 207, 229, 258, 273), strict=True))
    assert {wnid: known[i] for wnid, i in ids.items()} == {**NETTE, **WOOF}


def test_sizes_differ_only_with_leave(tmp_path):
    folder = write(tmp_path / "mine", side=16)
    with pytest.raises(BenchError, match=r"16 x 16 pixels, .* 8 x 8 here. Add --resize"):
        read_external(folder, Digits(), resize=False)
    found = read_external(folder, Digits(), resize=True)
    assert torch.equal(found.images[3], pixels(1, 1)[None])  # a constant image stays what it is


def test_soft_labels_of_a_metadata_file_are_read_by_class_name(tmp_path):
    folder = write(tmp_path / "mine", ipc=1)
    lines = [{"file_name": f"{d}/img_0.png", "soft_label": {str(d): 0.75, str((d + 1) % 10): 0.25}} for d in range(10)]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, reversed(lines))))
    found = read_external(folder, Digits(), resize=False)
    assert torch.equal(found.soft, 0.75 * torch.eye(10) + 0.25 * torch.eye(10).roll(1, 1))


def test_a_metadata_file_labels_images_outside_class_folders(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for d in range(10):
        Image.fromarray(pixels(d, 0).numpy()).save(folder / f"z{9 - d}.png")
    lines = [json.dumps({"file_name": f"z{9 - d}.png", "label": str(d)}) for d in range(10)]
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    found = read_external(folder, Digits(), resize=False)
    assert found.images[:, 0, 0, 0].tolist() == [20 * d for d in range(10)]


def hugging_face(names, soft=False):
    """A dataset as its users make it, classes mixed, so that only names can tell them; the order within one is kept,
    as classifiers see images in that order."""
    from datasets import ClassLabel, Dataset, Features, Sequence, Value
    from datasets import Image as ImageFeature

    random = torch.Generator().manual_seed(0)
    order = [2 * k + i for i in range(2) for k in torch.randperm(10, generator=random).tolist()]
    label_names = names[::-1]
    columns = {
        "image": [Image.fromarray(pixels(k // 2, k % 2).numpy()) for k in order],
        "label": [label_names.index(names[k // 2]) for k in order],
    }
    features = {"image": ImageFeature(), "label": ClassLabel(names=label_names)}
    if soft:
        features["soft_label"] = Sequence(Value("float32"))
        columns["soft_label"] = [[float(i == label) for i in range(10)] for label in columns["label"]]
    return Dataset.from_dict(columns, features=Features(features))


@pytest.fixture(scope="module")
def digits_set():
    return hugging_face([str(d) for d in range(10)], soft=True)


def check(found):
    assert found.labels.tolist() == [d for d in range(10) for _ in range(2)]
    assert (found.images[:, 0, 0, 0].long() // 20).tolist() == found.labels.tolist()


@pytest.mark.parametrize("form", ["save_to_disk", "dict", "parquet"])
def test_datasets_written_by_hugging_face_are_read_by_class_name(tmp_path, digits_set, form):
    from datasets import DatasetDict

    folder = tmp_path / "hf"
    if form == "save_to_disk":
        digits_set.save_to_disk(str(folder))
    elif form == "dict":
        DatasetDict({"train": digits_set}).save_to_disk(str(folder))
    else:
        folder.mkdir()
        digits_set.to_parquet(str(folder / "train-00000-of-00001.parquet"))
    found = read_external(folder, Digits(), resize=False)
    check(found)
    assert torch.equal(found.soft.argmax(1), found.labels)


def test_text_labels_of_a_plain_parquet_file_are_class_names(tmp_path):
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    def png(d, i):
        file = io.BytesIO()
        Image.fromarray(pixels(d, i).numpy()).save(file, "png")
        return file.getvalue()

    table = pa.table(
        {
            "image": [png(d, i) for d in range(10) for i in range(2)],
            "label": [str(d) for d in range(10) for _ in range(2)],
        }
    )
    (tmp_path / "p").mkdir()
    pq.write_table(table, tmp_path / "p" / "set.parquet")
    check(read_external(tmp_path / "p", Digits(), resize=False))
    (tmp_path / "n").mkdir()
    numbered = table.set_column(1, "label", pa.array([d for d in range(10) for _ in range(2)]))
    pq.write_table(numbered, tmp_path / "n" / "set.parquet")
    with pytest.raises(BenchError, match="a number without class names"):
        read_external(tmp_path / "n", Digits(), resize=False)
    check(read_external(tmp_path / "n", Digits(), class_order="dataset"))


def break_class(folder):
    (folder / "3").rename(folder / "three")


def drop_class(folder):
    for file in (folder / "7").iterdir():
        file.unlink()


def drop_image(folder):
    (folder / "5" / "img_1.png").unlink()


def spoil_image(folder):
    (folder / "4" / "img_0.png").write_bytes(b"not an image")


def unlabelled(folder):
    (folder / "5" / "img_1.png").rename(folder / "loose.png")


def soft(label):
    def write(folder):
        files = [f"{d}/img_{i}.png" for d in range(10) for i in range(2)]
        lines = [json.dumps({"file_name": file, "soft_label": label}) for file in files]
        (folder / "metadata.jsonl").write_text("\n".join(lines))

    return write


def glass(folder):
    Image.new("RGBA", (8, 8), (200, 30, 30, 0)).save(folder / "4" / "img_0.png")


def half_soft(folder):
    (folder / "metadata.jsonl").write_text(json.dumps({"file_name": "0/img_0.png", "soft_label": {"0": 1}}))


def no_json(folder):
    (folder / "metadata.jsonl").write_text("file_name,label\n")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (break_class, r"unknown class 'three'"),
        (drop_class, r"has no images of 1 of the 10 classes of digits: 7"),
        (drop_image, r"class 5 has 1 images, others have 2"),
        (spoil_image, r"img_0.png cannot be read as an image"),
        (unlabelled, r"images outside class folders \(loose.png\)"),
        (soft({"1": 7}), r"no distribution: it sums to 7 and reaches from 0 to 7, as logits do"),
        (soft({"1": 1.4, "2": -0.4}), r"holds a negative probability, -0.4"),
        (soft({"1": 0.3, "2": 0.3}), r"no distribution: it sums to 0.6, not to 1"),
        (soft({"1": float("nan"), "2": 1}), r"holds nan: probabilities are numbers"),
        (glass, r"img_0.png has transparent pixels \(mode RGBA, alpha down to 0 of 255\)"),
        (half_soft, r"has no soft label, other images"),
        (no_json, r"metadata.jsonl, line 1: not an object"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_once_and_clearly(tmp_path, spoil, message):
    folder = write(tmp_path / "mine")
    spoil(folder)
    with pytest.raises(BenchError, match=message):
        read_external(folder, Digits(), resize=False)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_an_alpha_channel_that_hides_nothing_is_dropped(tmp_path, mode):
    folder = write(tmp_path / "mine")
    plain = read_external(folder, Digits(), resize=False)
    for file in folder.rglob("*.png"):
        Image.open(file).convert(mode).save(file)
    assert torch.equal(read_external(folder, Digits(), resize=False).images, plain.images)


def test_class_folders_named_by_number_are_no_classes(tmp_path):
    folder = write(tmp_path / "mine")
    with pytest.raises(BenchError, match=r"known by its name, never by a number alone: .* --class-order FILE"):
        read_external(folder, ImageNette(resolution=8), resize=False)


def test_class_folders_named_by_number_are_classes_with_an_order(tmp_path):
    folder = write(tmp_path / "mine", names=[f"{9 - d:05d}" for d in range(10)], side=16)
    order = tmp_path / "classes.txt"
    order.write_text("".join(f"{wnid} {name}\n" for wnid, name in reversed(NETTE.items())))
    found = read_external(folder, ImageNette(resolution=16), class_order=str(order))
    named = read_external(write(tmp_path / "named", names=list(NETTE), side=16), ImageNette(resolution=16))
    assert torch.equal(found.images, named.images)
    for text, message in {
        "a\n\nb": "line 2 .* is empty",
        "a\nb\na": "names 'a' twice",
        "tench": r"number \d is none of the 1 of",
    }.items():
        order.write_text(text)
        with pytest.raises(BenchError, match=message):
            read_external(folder, ImageNette(resolution=16), class_order=str(order))
    with pytest.raises(BenchError, match=r"nowhere cannot be read: .* --class-order dataset"):
        read_external(folder, ImageNette(resolution=16), class_order="nowhere")


@pytest.mark.parametrize(
    ("label", "meant"),
    [
        ("tench, Tinca tinca", "n01440764"),
        ("Tinca_tinca", "n01440764"),
        ("n01440764 tench", "n01440764"),
        ("English springer, English springer spaniel", "n02102040"),
        ("chain saw, chainsaw", "n03000684"),
        ("CHAINSAW", "n03000684"),
        ("gas pump, gasoline pump, petrol pump, island dispenser", "n03425413"),
    ],
)
def test_synonyms_and_their_lists_mean_a_class(label, meant):
    assert ClassNames(ImageNette()).of(label, "here") == meant


def test_a_name_of_two_classes_is_refused_and_their_whole_entries_are_not():
    names = ClassNames(ImageNet1K())
    with pytest.raises(BenchError, match="'crane' may mean n02012849 or n03126707"):
        names.of("crane", "here")
    assert names.of("maillot", "here") == "n03710637"
    assert names.of("maillot, tank suit", "here") == "n03710721"


def test_classes_that_differ_in_spelling_alone_are_told_apart_by_their_own(tmp_path):
    for name in ("ice cream", "ice-cream", "Apple", "apple"):
        (tmp_path / "train" / name).mkdir(parents=True)
    names = ClassNames(AnyFolder(root=str(tmp_path)))
    assert [names.of(name, "here") for name in ("ice cream", "ice-cream", "Apple")] == [
        "ice cream",
        "ice-cream",
        "Apple",
    ]
    with pytest.raises(BenchError, match="'ice_cream' may mean ice cream or ice-cream"):
        names.of("ice_cream", "here")


def test_a_missing_or_empty_folder_is_said(tmp_path):
    with pytest.raises(BenchError, match="there is no folder"):
        read_external(tmp_path / "nowhere", Digits(), resize=False)
    with pytest.raises(BenchError, match="holds no images"):
        read_external(tmp_path, Digits(), resize=False)


def test_a_table_cannot_name_files_outside_its_folder(tmp_path, digits_set):
    folder = tmp_path / "hf"
    digits_set.save_to_disk(str(folder))
    state = json.loads((folder / "state.json").read_text())
    state["_data_files"] = [{"filename": "../../secret.arrow"}]
    (folder / "state.json").write_text(json.dumps(state))
    with pytest.raises(BenchError, match="outside the folder"):
        read_external(folder, Digits(), resize=False)
