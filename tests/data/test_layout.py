"""Splits and classes as people have them on disk: nested, flat with a file of labels, in folders of other names."""

import json
import re
import unicodedata

import pytest

from ddbench.data.anyfolder import AnyFolder
from ddbench.data.layout import forget, part
from ddbench.errors import BenchError
from tests.support.folders import birds, write_images


def dataset(root, **options):
    forget()
    return AnyFolder(root=str(root), resolution=6, **options)


def counts(images):
    return images.labels.bincount(minlength=len(images.classes)).tolist()


def unused(folder):
    return {sort: found.count for sort, found in part(folder).unused.items()}


def test_class_folders_are_read_at_any_depth(tmp_path):
    root = write_images(birds(tmp_path), ["train/jay/more/x.png", "train/jay/more/deep/er/y.tif", "train/owl/z.ppm"])
    train = dataset(root).load("train")
    assert counts(train) == [5, 4] == list(dataset(root).train_counts())
    assert train.labels.tolist() == sorted(train.labels.tolist())


def test_a_flat_class_has_the_fingerprint_that_it_always_had(tmp_path):
    """By hand: names and sizes; so that sets that were made before nested folders were read stay made."""
    import hashlib

    from ddbench.keys import digest

    root = birds(tmp_path, train=2)
    expected = []
    for label in ("jay", "owl"):
        lines = [f"{i}.png:{(root / 'train' / label / f'{i}.png').stat().st_size}\n" for i in range(2)]
        expected.append([label, hashlib.sha256("".join(lines).encode()).hexdigest()])
    assert dataset(root).fingerprint("train") == digest(expected)


def test_a_link_to_a_folder_around_it_is_named(tmp_path):
    root = birds(tmp_path)
    (root / "train/jay/round").symlink_to(root / "train/jay")
    with pytest.raises(BenchError, match="train/jay/round is a link to a folder that it lies in"):
        dataset(root).load("train")


def test_a_link_to_a_class_folder_elsewhere_is_followed(tmp_path):
    root = birds(tmp_path / "a")
    write_images(tmp_path, ["far/away/0.png"])
    (root / "train/jay/far").symlink_to(tmp_path / "far")
    assert counts(dataset(root).load("train")) == [4, 3]


def test_class_names_of_two_unicode_forms_are_one_class(tmp_path):
    composed, apart = (unicodedata.normalize(form, "gr\u00fcn") for form in ("NFC", "NFD"))
    root = write_images(tmp_path, [f"train/{composed}/0.png", f"val/{apart}/0.png"])
    assert composed != apart
    assert dataset(root).classes == (composed,)
    assert counts(dataset(root).load("test")) == [1]
    write_images(tmp_path, [f"train/{apart}/1.png"])
    with pytest.raises(BenchError, match="two folders of the one name 'gr\u00fcn'"):
        dataset(root).load("train")


def test_what_is_visible_and_not_used_is_counted(tmp_path):
    root = write_images(birds(tmp_path), ["train/lost.png"])
    for name in ("train/jay/a.txt", "train/jay/b.TXT", "train/owl/deep/c.npy", "train/README", "train/.DS_Store"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")
    (root / "train/owl/nothing").mkdir()
    expected = {"files .txt": 2, "files .npy": 1, "files without a suffix": 1, "empty folders": 1}
    assert unused(root / "train") == {**expected, "images in no class folder": 1}
    (remark,) = dataset(root).remarks()
    assert remark.startswith(f"imagefolder: not used in {root / 'train'}: ")
    assert "2 files .txt (jay/a.txt, ...)" in remark
    assert dataset(birds(tmp_path / "clean")).remarks() == ()


def test_what_systems_leave_is_no_class(tmp_path):
    root = write_images(birds(tmp_path), ["train/__MACOSX/jay/._0.png", "val/@eaDir/x.png", "train/jay/._0.png"])
    assert dataset(root).classes == ("jay", "owl")
    assert counts(dataset(root).load("test")) == [2, 2]
    assert unused(root / "train") == {}


@pytest.mark.parametrize("name", ["valid", "validation", "test"])
def test_the_test_split_may_have_another_name(tmp_path, name):
    root = birds(tmp_path)
    (root / "val").rename(root / name)
    assert counts(dataset(root).load("test")) == [2, 2]
    write_images(root, ["val/jay/a.png", "val/owl/a.png"])
    assert counts(dataset(root).load("test")) == [1, 1]
    (remark,) = dataset(root).remarks()
    assert remark == f"imagefolder: the test split is {root / 'val'}; {root / name} is not read"


def test_a_root_one_folder_too_high_is_told_the_right_one(tmp_path):
    birds(tmp_path / "imagenette2")
    with pytest.raises(
        BenchError, match=f"no folder {tmp_path}/train. .*root={tmp_path}/imagenette2. .* holds imagenette2"
    ):
        dataset(tmp_path).load("train")


def tiny_imagenet(root):
    """The layout of Tiny-ImageNet-200, with two classes and an unlabelled test folder."""
    names = [f"train/{wnid}/images/{wnid}_{i}.JPEG" for wnid in ("n01", "n02") for i in range(3)]
    write_images(root, [*names, *(f"val/images/val_{i}.JPEG" for i in range(4)), "test/images/test_0.JPEG"])
    for wnid in ("n01", "n02"):
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text("n01_0.JPEG\t0\t0\t9\t9\n")
    rows = [f"val_{i}.JPEG\t{('n02', 'n01', 'n02', 'n01')[i]}\t0\t32\t44\t62\n" for i in range(4)]
    (root / "val/val_annotations.txt").write_text("".join(rows))
    (root / "wnids.txt").write_text("n02\nn01\n")
    (root / "words.txt").write_text("n01\tone\n")
    forget()
    return root


def test_tiny_imagenet_is_read_as_it_is_published(tmp_path):
    data = dataset(tiny_imagenet(tmp_path))
    assert data.classes == ("n01", "n02")
    assert counts(data.load("train")) == [3, 3]
    assert data.files("test") == [
        ("images/val_1.JPEG", "images/val_3.JPEG"),
        ("images/val_0.JPEG", "images/val_2.JPEG"),
    ]
    assert counts(data.load("test")) == [2, 2]
    assert len(data.remarks()) == 2  # the boxes, and the folder test/
    (tmp_path / "wnids.txt").write_text("n01\nn02\nn03\n")
    assert data.remarks()[-1].endswith("wnids.txt lists 3 classes, 2 of the 2 here")


ILSVRC = [f"ILSVRC2012_val_{i:08}.JPEG" for i in (1, 2, 3)]


def by_kaggle(folder):
    rows = (f"{name[:-5]},{wnid} 85 1 499 272 {wnid} 1 2 3 4\n" for name, wnid in zip(ILSVRC, LABELS, strict=True))
    (folder.parent / "LOC_val_solution.csv").write_text("ImageId,PredictionString\n" + "".join(rows))


def by_synsets(folder):
    (folder / "imagenet_2012_validation_synset_labels.txt").write_text("\n".join(LABELS) + "\n")


def by_caffe(folder):
    (folder / "val.txt").write_text("".join(f"{n} {LABELS.index(w)}\n" for n, w in zip(ILSVRC, LABELS, strict=True)))
    (folder / "synsets.txt").write_text("\n".join(LABELS))


def by_metadata_csv(folder):
    (folder / "metadata.csv").write_text("width,label,file_name\n" + "".join(f"9,{w},{n}\n" for n, w in ROWS))


def by_metadata_of_all_parts(folder):
    rows = [f"val/{name},{wnid}\n" for name, wnid in ROWS] + ["train/n01/0.png,n01\n"]
    (folder.parent / "metadata.csv").write_text("file_name,label\n" + "".join(rows))


def by_metadata_jsonl(folder):
    lines = [json.dumps({"file_name": name, "label": wnid}) for name, wnid in ROWS]
    (folder / "metadata.jsonl").write_text("\n".join(lines))


LABELS = ["n02", "n01", "n03"]
ROWS = list(zip(ILSVRC, LABELS, strict=True))
READERS = (by_kaggle, by_synsets, by_caffe, by_metadata_csv, by_metadata_of_all_parts, by_metadata_jsonl)


def flat(root):
    return write_images(root, [*(f"train/{w}/0.png" for w in sorted(LABELS)), *(f"val/{name}" for name in ILSVRC)])


@pytest.mark.parametrize("label", READERS)
def test_a_flat_folder_is_labelled_by_the_file_beside_it(tmp_path, label):
    root = flat(tmp_path)
    label(root / "val")
    data = dataset(root)
    assert data.files("test") == [(ILSVRC[1],), (ILSVRC[0],), (ILSVRC[2],)]
    assert data.load("test").labels.tolist() == [0, 1, 2]


def test_a_flat_folder_without_labels_names_the_files_that_would_label_it(tmp_path):
    root = flat(tmp_path)
    with pytest.raises(
        BenchError, match=r"val holds 3 images \(ILSVRC.*_00000001.JPEG, ...\) and no class folders.*val_ann"
    ):
        dataset(root).load("test")
    (root / "ILSVRC2012_validation_ground_truth.txt").write_text("490\n361\n171\n")
    with pytest.raises(BenchError, match=r"ground_truth.txt gives classes by the numbers .* LOC_val_solution.csv"):
        dataset(root).load("test")


def test_files_and_lines_that_do_not_meet_are_told(tmp_path):
    root = flat(tmp_path)
    by_metadata_csv(root / "val")
    write_images(root, ["val/extra.png"])
    assert unused(root / "val") == {"images that metadata.csv does not name": 1}
    (root / "val" / ILSVRC[2]).unlink()
    with pytest.raises(BenchError, match=rf"metadata.csv names 1 images that are not in .*val \({ILSVRC[2]}"):
        dataset(root).load("test")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("metadata.csv", "file,label\na.png,n01\n", "metadata.csv lacks the column file_name; it has file, label"),
        ("metadata.csv", "file_name,label\n", "metadata.csv names no image"),
        ("metadata.jsonl", '{"file_name": "a.png"}', "metadata.jsonl, line 1: not an object like"),
        ("val_annotations.txt", "val_0.JPEG\n", "val_annotations.txt, entry 1: no file and class"),
        ("val.txt", "a.png 7\n", "val.txt gives classes by number: put the file synsets.txt"),
    ],
)
def test_a_malformed_file_of_labels_is_one_error(tmp_path, name, text, message):
    root = flat(tmp_path)
    (root / "val" / name).write_text(text)
    with pytest.raises(BenchError, match=message):
        dataset(root).load("test")


def test_labels_that_are_no_class_are_named(tmp_path):
    root = flat(tmp_path)
    (root / "val/metadata.csv").write_text("file_name,label\n" + "".join(f"{n},0\n" for n in ILSVRC))
    with pytest.raises(BenchError, match=re.escape("lacks n01 (3 missing, 1 extra classes in metadata.csv)")):
        dataset(root).load("test")


def test_a_flat_train_folder_with_metadata_gives_the_classes(tmp_path):
    root = write_images(tmp_path, ["train/a.png", "train/b.png", "train/c.png", "val/jay/0.png", "val/owl/0.png"])
    (root / "train/metadata.csv").write_text("file_name,label\na.png,owl\nb.png,jay\nc.png,owl\n")
    data = dataset(root)
    assert data.classes == ("jay", "owl")
    assert data.files("train") == [("b.png",), ("a.png", "c.png")]
    assert data.load("train").labels.tolist() == [0, 1, 1]


def test_class_folders_count_and_not_the_file_of_labels_beside_them(tmp_path):
    root = birds(tmp_path)
    (root / "val/metadata.csv").write_text("file_name,label\njay/0.png,owl\n")
    assert counts(dataset(root).load("test")) == [2, 2]
    assert unused(root / "val") == {"files .csv": 1}


def test_a_class_folder_of_other_files_is_told_what_it_holds(tmp_path):
    root = birds(tmp_path)
    (root / "train/wren").mkdir()
    (root / "train/wren/x.npy").write_text("x")
    with pytest.raises(BenchError, match=r"train/wren holds no images but files .npy"):
        dataset(root).load("train")
