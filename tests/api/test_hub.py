"""Sets go to the Hugging Face hub and come back, with a folder of this machine in place of the hub."""

import shutil
import sys
from pathlib import Path
from typing import ClassVar

import huggingface_hub
import pytest
import yaml

from ddbench.api.hub import HubPlace, hub_place
from ddbench.errors import BenchError
from ddbench.store.opening import open_store
from tests.cli.test_evaluate_command import evaluate, run
from tests.support.invoke import invoke

HUB = "hf://datasets/ann/sets"


class Api:
    """What is called of HfApi, on folders ``Api.root/USER/NAME``."""

    root = Path()
    called: ClassVar[list] = []

    def create_repo(self, repo_id, *, repo_type, private, exist_ok):
        assert (repo_type, exist_ok) == ("dataset", True)
        self.called.append(("create", repo_id, private))

    def upload_folder(self, *, repo_id, folder_path, repo_type, commit_message):
        assert repo_type == "dataset"
        shutil.copytree(folder_path, self.root / repo_id, dirs_exist_ok=True)
        self.called.append(("upload", repo_id, commit_message))


@pytest.fixture
def hub(tmp_path, monkeypatch):
    def snapshot_download(repo_id, *, repo_type, revision, allow_patterns):
        assert repo_type == "dataset"
        Api.called.append(("fetch", revision, allow_patterns))
        if not (Api.root / repo_id).is_dir():
            raise ConnectionError("404 no such repository\nmore lines")
        return str(Api.root / repo_id)

    monkeypatch.setattr(Api, "root", tmp_path / "hub")
    monkeypatch.setattr(Api, "called", [])
    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_x")
    return Api


def test_a_set_goes_to_the_hub_with_its_card_and_scores_the_same_from_there(hub, tmp_path):
    store = tmp_path / "store"
    assert run(store).returncode == 0
    done = invoke("export", "--store", store, "--out", HUB, "--form", "parquet", "--private")
    assert (done.returncode, done.stdout.split()) == (0, [f"{HUB}/digits/random/ipc2-seed0"]), done.stderr
    assert hub.called == [("create", "ann/sets", True), ("upload", "ann/sets", "Add digits/random/ipc2-seed0")]
    (record,) = open_store(store, create=False).records()
    _, header, body = (hub.root / "ann/sets/README.md").read_text().split("---\n", 2)
    found = yaml.safe_load(header)
    (about,) = found["distilled_sets"]
    assert (about["method"], about["dataset"], about["ipc"]) == ("random", "digits", 2)
    assert about["key"] == record.config["evaluate"]["parents"][0]
    assert about["accuracies"] == [
        {"protocol": record.cell.protocol, "arch": record.cell.arch, "top1": record.last, "classifiers": 1}
    ]
    assert "license" not in found
    (config,) = found["configs"]
    assert (hub.root / "ann/sets").glob(config["data_files"][0]["path"][0])
    assert f"| {100 * record.last:.1f} | 1 |" in body
    again = evaluate(HUB, store, "--method", "again")  # the only set of the repository
    assert again.returncode == 0, again.stderr
    assert hub.called[-1] == ("fetch", None, None)
    records = {record.cell.method: record for record in open_store(store, create=False).records()}
    assert records["again"].curve == record.curve


def test_of_several_sets_those_that_are_meant_are_named(hub, tmp_path):
    store = tmp_path / "store"
    assert run(store, "--seeds", "1").returncode == 0  # besides 0
    assert invoke("export", "--store", store, "--out", HUB).returncode == 0
    assert hub.called[-1] == ("upload", "ann/sets", "Add 2 distilled sets")
    done = evaluate(HUB, store)
    assert done.returncode == 2
    assert f"holds 2 distilled sets. Name one or several of them: {HUB}/digits/random/ipc2-seed0" in done.stderr
    done = evaluate(f"{HUB}@v1/digits/random/ipc2-seed1", store, "--dry-run")
    assert done.returncode == 0, done.stderr
    only = "digits/random/ipc2-seed1"
    assert hub.called[-1] == ("fetch", "v1", [only, f"{only}/**"])
    done = evaluate(f"{HUB}/digits/other", store)
    assert (done.returncode, "ann/sets has no digits/other on the hub" in done.stderr) == (2, True)


def test_without_a_network_a_token_or_the_package_one_sentence_says_so(hub, tmp_path, monkeypatch):
    store = tmp_path / "store"
    done = evaluate("hf://datasets/ann/none", store)
    assert done.returncode == 2
    assert "hf://datasets/ann/none cannot be fetched: ConnectionError: 404 no such repository. Check" in done.stderr
    assert "more lines" not in done.stderr
    assert run(store).returncode == 0

    def refuse(self, repo_id, **more):
        raise OSError("403 Forbidden")

    monkeypatch.setattr(Api, "create_repo", refuse)
    done = invoke("export", "--store", store, "--out", HUB)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"nothing was put into {HUB}: OSError: 403 Forbidden" in done.stderr
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    done = invoke("export", "--store", tmp_path / "no store", "--out", HUB)  # before anything is read
    assert (done.returncode, f"no token for {HUB}: run `hf auth login`, or set HF_TOKEN" in done.stderr) == (2, True)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    done = invoke("export", "--store", store, "--out", HUB)
    assert (done.returncode, "pip install huggingface_hub" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("hf://datasets/a/b", HubPlace("a/b")),
        ("hf://datasets/a/b.c/", HubPlace("a/b.c")),
        ("hf://datasets/a/b@main/x/y", HubPlace("a/b", "main", "x/y")),
        ("some/folder", None),
    ],
)
def test_an_address_names_repository_revision_and_folder(text, place):
    assert hub_place(text) == place


@pytest.mark.parametrize("text", ["hf://a/b", "hf://datasets/a", "hf://datasets/a/b/../c", "hf://models/a/b"])
def test_another_address_is_refused(text):
    with pytest.raises(BenchError, match="is no place on the hub"):
        hub_place(text)


def test_options_that_do_not_go_together_are_refused(hub, tmp_path):
    for out, more, message in (
        (f"{HUB}/inner", [], "sets go to a repository"),
        ("s3://bucket/x", [], "to a folder or to hf://datasets/USER/NAME"),
        (tmp_path / "out", ["--private"], "--private is for a repository on the hub"),
    ):
        done = invoke("export", "--store", tmp_path, "--out", out, *more)
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert hub.called == []
