"""A set as DC's code publishes it, judged under the protocol of DC's code: the score of its image folder."""

from PIL import Image

from ddbench.store.opening import open_store
from tests.data.test_external_tensors import MEAN, SD, levels, results
from tests.support.invoke import invoke

PROTOCOL = "dc@1[epochs_by_ipc=[[1000, 5]],evaluations=2]"
"""five epochs of the thousand, with the change of the rate after the fourth"""


def evaluate(path, store, method, *more):
    options = ("--protocol", PROTOCOL, "--eval-seeds", "0", "--archs", "convnet3-w32", "--executor", "inline")
    return invoke("evaluate", path, "--store", store, "--method", method, *options, *more)


def test_a_res_file_scores_as_the_folder_of_its_images(tmp_path):
    images, store = levels(), tmp_path / "store"
    file = results(tmp_path / "res_DC_digits_ConvNet_2ipc.pt", [images])
    for n, image in enumerate(images):
        folder = tmp_path / "folder" / str(n // 2)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0].numpy()).save(folder / f"{n % 2}.png")
    done = evaluate(file, store, "tensors", "--mean", MEAN, "--sd", SD, "--class-order", "dataset")
    assert done.returncode == 0, done.stderr
    done = evaluate(tmp_path / "folder", store, "files")
    assert done.returncode == 0, done.stderr
    found = {record.cell.method: record for record in open_store(store, create=False).records()}
    assert found["tensors"].curve == found["files"].curve
    assert found["tensors"].correct == found["files"].correct
    assert len(found["tensors"].curve) == 2
    assert found["tensors"].cell.protocol == PROTOCOL
