"""Digests of source files are cached in the user's account: for the same bytes, and for nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ddbench.paths import cache_folder
from ddbench.plan.digests import Digests

DIGEST = """
import sys
from ddbench.plan import code
calls = []
parse = code.ast.parse
code.ast.parse = lambda content: calls.append(1) or parse(content)
print(code.code_digest({"type": "x:Method"}, {"x:Method": "mine.method:Method"}), len(calls))
"""


@pytest.fixture
def asked(tmp_path):
    """A function that digests the package ``mine`` in a new process: (digest, number of files that were parsed)."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "method.py").write_text("from mine.helper import RATE\nimport other\n")
    (folder / "helper.py").write_text("RATE = 1\n")

    def ask(cache: Path | str = tmp_path / "cache"):
        around = {**os.environ, "PYTHONPATH": str(tmp_path), "XDG_CACHE_HOME": str(cache)}
        done = subprocess.run([sys.executable, "-c", DIGEST], env=around, capture_output=True, text=True, check=True)
        digest, parsed = done.stdout.split()
        return digest, int(parsed)

    return ask


def test_what_has_not_changed_is_not_parsed_again(asked):
    (first, parsed), again = asked(), asked()
    assert parsed == 2 and again == (first, 0)


def test_an_edit_is_seen_and_taken_back(asked, tmp_path):
    before, _ = asked()
    helper = tmp_path / "mine" / "helper.py"
    helper.write_text("RATE = 2\n")
    after, parsed = asked()
    assert after != before and parsed == 1
    helper.write_text("RATE = 1\n")
    assert asked()[0] == before


def test_an_import_that_is_followed_from_now_on_is_seen(asked, tmp_path):
    before, _ = asked()
    (tmp_path / "other.py").write_text("SIZE = 3\n")  # until now it was no module
    after, parsed = asked()
    assert after != before and parsed == 2
    assert after == asked(tmp_path / "fresh")[0]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"made_by": 1}', b"\xff", b'{"made_by": "a", "entries": 3}'])
def test_a_broken_file_is_no_cache(content, tmp_path):
    path = tmp_path / "code.json"
    path.write_bytes(content)
    kept = Digests(path, "a")
    assert kept.get("m", b"x") is None
    kept.put("m", b"x", [1])
    kept.save()
    assert Digests(path, "a").get("m", b"x") == [1]
    assert Digests(path, "a").get("m", b"y") is None
    assert Digests(path, "of another finder").get("m", b"x") is None


def test_a_folder_that_cannot_be_written_costs_nothing_else(asked, tmp_path):
    (tmp_path / "taken").touch()
    assert asked(tmp_path / "taken") == asked(tmp_path / "taken")


def test_two_processes_keep_what_both_found(tmp_path):
    one, other = Digests(tmp_path / "code.json", "a"), Digests(tmp_path / "code.json", "a")
    one.put("m", b"x", 1)
    other.put("n", b"x", 2)
    one.save()
    other.save()
    assert json.loads((tmp_path / "code.json").read_text())["entries"].keys() == {"m", "n"}


def test_without_a_home_nothing_is_kept(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "expanduser", lambda self: (_ for _ in ()).throw(RuntimeError("no home")))
    assert cache_folder() is None
    kept = Digests(None, "a")
    kept.put("m", b"x", 1)
    kept.save()
    assert kept.get("m", b"x") == 1
