"""The other process of a check: the stages of a run, in surroundings that differ in what no method should use."""

import os
import socket
from pathlib import Path

import pytest

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.conformance import elsewhere
from ddbench.conformance.checks import CHECKS
from ddbench.conformance.elsewhere import digests_elsewhere
from ddbench.conformance.raised import Told
from ddbench.conformance.suite import run_checks
from ddbench.conformance.surroundings import environment, working_folder
from ddbench.conformance.under_test import MethodUnderTest, sample_of
from tests.conformance.test_check import CHEAT
from tests.plugins.test_plugins import plugin  # noqa: F401  (a fixture
from tests.support.invoke import invoke

pytestmark = pytest.mark.slow

LOOKS = {
    "honest": "''",
    "folder": "os.getcwd()",
    "home": "os.path.expanduser('~')",
    "zone": "time.tzname",
    "locale": "locale.setlocale(locale.LC_ALL)",
    "host": "socket.gethostname()",
    "node": "platform.node()",
    "user": "os.environ.get('USER')",
    "utc_hour": "time.gmtime().tm_hour",
    "local_hour": "time.localtime().tm_hour",
    "hour_of_datetime": "datetime.now().hour",
    "day": "date.today().isoformat()",
    "year": "datetime.now(UTC).year",
    "frames": "sorted('conformance' in f.filename for f in traceback.extract_stack())[-1]",
    "hashes": "hash('a')",
}

IMPORTS = """
import locale
import os
import platform
import socket
import time
import traceback
import zlib
from datetime import UTC, date, datetime

time.tzset()
locale.setlocale(locale.LC_ALL, "")
"""


@pytest.fixture
def looking(plugin):  # noqa: F811
    """A study of methods, each of which marks its images by something that it should not look at."""
    text = IMPORTS + CHEAT.partition('@register("method", "cheat")')[0]
    for name, look in LOOKS.items():
        changed = CHEAT.partition('@register("method", "cheat")')[2].replace("class Cheat", f"class Looks_{name}")
        mark = f"zlib.crc32(str({look}).encode()).to_bytes(4, 'big')"
        marked = f"images.view(-1)[:4] = torch.tensor([*{mark}], dtype=images.dtype)"
        text += f'@register("method", "{name}"){changed}'.replace("# HERE", marked)
    return resolve(load_config("check", {"grid.methods": list(LOOKS), "plugins": [str(plugin("looking", text))]}, []))


def test_what_a_method_looks_at_gives_other_images_in_the_other_process(looking, tmp_path):
    there = digests_elsewhere(looking, [(2, 0)])
    (dataset,) = looking.datasets.values()
    here = {
        name: MethodUnderTest(method, sample_of(dataset), looking.networks, tmp_path / name).distil().digest()
        for (_, name), method in looking.methods.items()
    }
    assert [name for name in LOOKS if here[name] == there[name][2, 0]] == ["honest"]


def test_why_the_other_process_fails_is_told_once_with_its_line(monkeypatch):
    raised = (
        'Traceback:\n  File "/x/mine.py", line 36, in distill\n  File "/y/site-packages/torch/a.py", line 2, in f\n'
    )
    failed = ["distill digits/random/ipc2/seed0", "AssertionError", raised]
    monkeypatch.setattr(elsewhere, "_ask", lambda task, study, folder: {"failed": failed})
    asked = [check for check in CHECKS if check.name in ("another process", "no memory")]
    one, other = run_checks(resolve(load_config("check", {}, [])), "random", checks=asked)
    where = "another process, in the stage distill digits/random/ipc2/seed0"
    assert one.wrong == f"{where}: AssertionError, at mine.py, line 36"
    assert (other.wrong, other.untried) == ("", "another process")


def test_an_exception_is_told_once(plugin):  # noqa: F811
    path = plugin("always_raises", CHEAT.replace("# HERE", "raise RuntimeError('out of luck')"))
    done = invoke("check", "cheat", "--plugin", path)
    assert done.returncode == 3
    assert done.stdout.count("RuntimeError: out of luck, at always_raises.py, line 32") == 1
    assert "10 raise the same and could not be tried (same seed," in done.stdout
    assert "-> mend what raises: the rule itself could not be tried" in done.stdout


def test_relative_paths_lead_from_the_other_folder_to_the_same_files(tmp_path, monkeypatch):
    here = tmp_path / "a" / "b"
    (here / "images").mkdir(parents=True)
    (tmp_path / "a" / "beside.txt").write_text("beside")
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(here))
    folder = tmp_path / "other"
    around = environment(folder)
    there = working_folder(folder, {"root": "images", "list": ["../beside.txt", "~/images", "missing", "..", "."]})
    assert (there / "images").resolve() == here / "images"
    assert (there / "../beside.txt").read_text() == "beside"
    assert Path(around["HOME"], "images").resolve() == here / "images"
    assert around["HOME"] != os.environ["HOME"] and not (there / "missing").exists()
    assert around["HOSTNAME"] != socket.gethostname()


def test_a_cell_that_is_skipped_is_said(monkeypatch):
    study = resolve(load_config("check", {"grid.methods": ["random"]}, []))
    (method,) = study.methods.values()
    monkeypatch.setattr(type(method), "needs", lambda self: __import__("ddbench").Needs(ipc=(50, None)))
    with pytest.raises(Told, match="its cells are skipped: the method needs an ipc of 50 or more"):
        digests_elsewhere(study, [(2, 0)])
