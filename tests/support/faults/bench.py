"""``bench`` with the toy plug-in, in a process of its own or in this one, and what it leaves in a store."""

import json
import os
import subprocess
import sys
from pathlib import Path

from ddbench.keys import digest
from ddbench.store.opening import open_store
from tests.support.faults import toy


class Toy:
    """A folder with the plug-in as an installed package, a study, and stores. ``environment`` is for processes."""

    def __init__(self, folder):
        self.folder = folder
        plug = folder / "plug"
        about = plug / "bench_toy-1.0.dist-info"
        about.mkdir(parents=True)
        (plug / "bench_toy.py").write_text(Path(toy.__file__).read_text())
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-toy\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(toy.ENTRY_POINTS)
        self.study = folder / "toy.yaml"
        self.study.write_text(toy.STUDY)
        (folder / "happened").mkdir()
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(plug), str(Path(__file__).parents[3])]),
            "TOY_FOLDER": str(folder / "happened"),
            "OMP_NUM_THREADS": "1",
        }

    def command(self, store, *arguments):
        study = ["run", "--config", str(self.study), "--store", str(self.folder / store)]
        return [sys.executable, "-m", "ddbench.cli.main", *study, *map(str, arguments)]

    def start(self, store, *arguments, **environment):
        """A process with a session of its own."""
        return subprocess.Popen(
            self.command(store, *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment, **environment},
            start_new_session=True,
        )

    def run(self, store, *arguments, **environment):
        """(exit code, document, stderr)"""
        process = self.start(store, "--json", *arguments, **environment)
        out, err = process.communicate(timeout=200)
        return process.returncode, json.loads(out) if out else None, err

    def records(self, store):
        return open_store(self.folder / store, create=False).records()

    def contents(self, store):
        """Digests of every artifact's files, and of what configuration and seeds determine of each record."""
        artifacts = {
            path.parent.name: digest(json.loads(path.read_text())["files"])
            for path in (self.folder / store).glob("artifacts/*/*/manifest.json")
        }
        return artifacts, {record.key: digest(record.content()) for record in self.records(store)}
