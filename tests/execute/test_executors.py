"""Inline and Ray make the same artifacts and records, byte for byte."""

import json
import os
import subprocess
import sys

import pytest

from ddbench.keys import digest
from ddbench.processors import allowed_processors
from ddbench.store.opening import open_store
from tests.support import two_epochs


def run(study, store, executor, *arguments, **environment):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ddbench.cli.main",
            "run",
            "--config",
            str(study),
            "--store",
            str(store),
            "--executor",
            executor,
            "--json",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, **environment},
    )
    return done.returncode, json.loads(done.stdout), done.stderr


def contents(root):
    """Digests of every artifact's files, and of what each record's configuration and seeds determine."""
    store = open_store(root, create=False)
    artifacts = {
        path.parent.name: digest(json.loads(path.read_text())["files"])
        for path in root.glob("artifacts/*/*/manifest.json")
    }
    records = {record.key: (digest(record.content()), record.run.get("log")) for record in store.records()}
    return artifacts, records


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_inline_and_ray_give_identical_artifacts_records_and_tables(tiny_study, tmp_path):
    # Of the two networks one draws while it is trained; the protocol puts the trained weights on the record.
    short = ["--plugin", two_epochs.__file__, "--set", "grid.protocol=two-epochs@1"]
    inline = run(tiny_study, tmp_path / "inline", "inline", *short, "--archs", "convnet3-w32,timm:test_vit_relpos")
    # Ray starts where batch systems put a job: folders with long names, no home to write, another job's cluster.
    long, home = tmp_path / ("slurm_job_" * 10), tmp_path / "home"
    long.mkdir()
    home.touch()
    batch = {"TMPDIR": str(long), "RAY_TMPDIR": str(long), "HOME": str(home), "RAY_ADDRESS": "http://127.0.0.1:8265"}
    archs = "timm:test_vit_relpos,convnet3-w32"
    ray = run(tiny_study, tmp_path / "ray", "ray", *short, "--archs", archs, **batch)
    assert inline[0] == ray[0] == 0, ray[2]
    assert f"starting Ray on {allowed_processors()} processor" in ray[2]
    assert "RAY_ADDRESS=http://127.0.0.1:8265 is not used" in ray[2]
    assert not home.read_text()
    assert contents(tmp_path / "inline") == contents(tmp_path / "ray")
    rows = [sorted(document["table"], key=lambda row: (row["arch"], row["method"])) for _, document, _ in (inline, ray)]
    assert rows[0] == rows[1]
    assert inline[1]["stages"] == ray[1]["stages"]

    # A failure has the same fate under both, and a changed study starts from the artifacts that are there.
    failing = [*short, "--methods", "random,dm", "--set", "methods.dm.augmentations=rotat"]
    code, document, errors = run(tiny_study, tmp_path / "ray", "ray", *failing)
    assert code == 1
    assert document["cells"] == {"total": 4, "ok": 0, "failed": 2, "cached": 2, "skipped": 0}
    assert "unknown augmentation 'rotat'" in document["failures"][0]["reason"]
    assert "Traceback" not in errors


def test_the_default_executor_is_ray_only_where_it_pays(monkeypatch):
    from ddbench.api import run as module

    monkeypatch.setattr(module, "allowed_processors", lambda: 2)
    assert module.pays(8)
    assert not module.pays(2)
    monkeypatch.setattr(module, "allowed_processors", lambda: 1)
    assert not module.pays(100)
