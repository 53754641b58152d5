"""Starting a private Ray, and finding out whether a cluster can be joined: what is asked of Ray, and what is left."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ddbench.errors import BenchError
from ddbench.execute import cluster, joinable
from ddbench.processors import allowed_processors

FOLDERS = ("RAY_TMPDIR", "TMPDIR", "XDG_RUNTIME_DIR")
NAMES = ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", *FOLDERS)


class PretendedRay:
    """Remembers how it was started, and the environment at that time."""

    def __init__(self, problem=None):
        self.problem, self.options, self.environment, self.running = problem, {}, {}, False

    def init(self, **options):
        self.options, self.environment, self.running = options, dict(os.environ), True
        self.token = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", "/none"))
        self.token_mode = stat.S_IMODE(self.token.stat().st_mode) if self.token.exists() else None
        if self.problem:
            raise self.problem

    def is_initialized(self):
        return self.running

    def shutdown(self):
        self.running = False


@pytest.fixture
def pretended(monkeypatch, tmp_path):
    """A function that makes Ray a pretended one. The home folder is empty, and nothing is said about Ray."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def made(problem=None):
        ray = PretendedRay(problem)
        monkeypatch.setattr(cluster, "_import", lambda: ray)
        return ray

    return made


def test_a_private_ray_has_the_allowed_processors_and_a_folder_and_token_of_its_own(pretended):
    ray, said, before = pretended(), [], dict(os.environ)
    running = cluster.start(said.append)
    folder = Path(ray.options["_temp_dir"])
    assert ray.options["num_cpus"] == allowed_processors()
    assert ray.options["address"] == "local"
    assert ray.environment["RAY_AUTH_MODE"] == "token"
    assert ray.token.parent == folder
    assert (stat.S_IMODE(folder.stat().st_mode), ray.token_mode) == (0o700, 0o600)
    assert [text.partition(" on ")[0] for text in said] == ["starting Ray"]
    running.close()
    running.close()
    assert not ray.running
    assert not folder.exists()
    assert dict(os.environ) == before
    assert not Path(os.environ["HOME"]).exists()


@pytest.mark.parametrize("address", ["127.0.0.1:6399", "http://127.0.0.1:8265"])
def test_the_address_of_another_cluster_is_not_used_and_that_is_said(address, pretended, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", address)
    ray, said = pretended(), []
    cluster.start(said.append).close()
    assert "RAY_ADDRESS" not in ray.environment
    assert said[0].startswith(f"RAY_ADDRESS={address} is not used")
    assert "--ray-address joins" in said[0]
    assert os.environ["RAY_ADDRESS"] == address


def test_a_token_of_the_user_is_neither_used_nor_lost_in_a_private_ray(pretended, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of the user")
    ray = pretended()
    cluster.start(print).close()
    assert "RAY_AUTH_TOKEN" not in ray.environment
    assert os.environ["RAY_AUTH_TOKEN"] == "of the user"


def test_who_turned_tokens_off_gets_none(pretended, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    ray = pretended()
    cluster.start(print).close()
    assert ray.environment["RAY_AUTH_MODE"] == "disabled"
    assert ray.token_mode is None


def test_the_ray_that_a_notebook_has_connected_to_is_left_alone(pretended, monkeypatch):
    ray = pretended()
    monkeypatch.setitem(sys.modules, "ray", ray)
    ray.init()
    for connect in (lambda: cluster.start(print), lambda: cluster.join("10.0.0.1:6379", print)):
        with pytest.raises(BenchError, match=r"call ray.shutdown\(\) first"):
            connect()
    assert ray.running


@pytest.mark.parametrize("problem", [OSError("no space left on device"), SystemExit(1), Exception("timed out")])
def test_what_still_fails_is_one_sentence_and_leaves_nothing(problem, pretended):
    ray, before = pretended(problem), dict(os.environ)
    with pytest.raises(BenchError, match=f"^Ray cannot start here, in .*: {problem}. Use another.$") as error:
        cluster.start(lambda _: None, "Use another.")
    assert "\n" not in str(error.value)
    assert dict(os.environ) == before
    assert not ray.running
    assert not Path(ray.options["_temp_dir"]).exists()


def test_processes_that_a_failed_start_left_are_ended_and_no_others(tmp_path):
    command = [sys.executable, "-c", "import time; time.sleep(100)"]
    left, other = subprocess.Popen([*command, str(tmp_path)]), subprocess.Popen(command)
    try:
        cluster._end(PretendedRay(), tmp_path)
        assert not Path(f"/proc/{left.pid}").exists()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("name", ["TMPDIR", "RAY_TMPDIR"])
@pytest.mark.parametrize("folder", ["long", "missing", "file"])
def test_a_folder_in_which_sockets_have_no_room_is_replaced(name, folder, pretended, monkeypatch, tmp_path):
    places = {"long": tmp_path / ("slurm_job" * 12), "missing": tmp_path / "no", "file": tmp_path / "f"}
    places["long"].mkdir()
    places["file"].touch()
    monkeypatch.setenv(name, str(places[folder]))
    with cluster.private_folder() as made:
        assert Path(made).parent == Path("/tmp")
        assert len(f"{made}/{cluster.SOCKET}") <= 107
    assert not Path(made).exists()
    assert not places["long"].exists() or not list(places["long"].iterdir())


def test_a_short_folder_of_the_user_is_used(pretended, monkeypatch):
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as mine:
        monkeypatch.setenv("TMPDIR", mine)
        with cluster.private_folder() as made:
            assert Path(made).parent == Path(mine)


def test_where_no_folder_will_do_each_is_named_with_its_reason(pretended, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "no"))

    def refused(*_, **kept):
        raise PermissionError(13, "Permission denied", kept["dir"])

    monkeypatch.setattr(cluster, "TemporaryDirectory", refused)
    with pytest.raises(BenchError, match=r"/no: Permission denied; /tmp: Permission denied.*Set RAY_TMPDIR to a short"):
        cluster.private_folder()


def joining(monkeypatch, stdout="", stderr="", asked=None):
    """Let the process that tries a cluster end with this output; its environment is appended to ``asked``."""

    def run(command, **_):
        if asked is not None:
            asked.append((command[-1], dict(os.environ)))
        return subprocess.CompletedProcess(command, 0, stdout, stderr)

    monkeypatch.setattr(joinable.subprocess, "run", run)
    monkeypatch.setattr(joinable, "_reach", lambda _: None)


@pytest.mark.parametrize(
    ("place", "expected"),
    [("file", "token"), ("RAY_AUTH_TOKEN", "token"), ("RAY_AUTH_TOKEN_PATH", "token"), ("", None)],
)
def test_a_token_that_is_there_is_shown_to_a_cluster_that_is_joined(place, expected, pretended, monkeypatch):
    ray, asked = pretended(), []
    if place == "file":
        token = Path(os.environ["HOME"], ".ray", "auth_token")
        token.parent.mkdir(parents=True)
        token.write_text("secret")
    elif place:
        monkeypatch.setenv(place, "secret")
    joining(monkeypatch, "JOINED 10.0.0.1:6379", asked=asked)
    running = cluster.join("10.0.0.1:6379", lambda _: None)
    assert asked[0][1].get("RAY_AUTH_MODE") == ray.environment.get("RAY_AUTH_MODE") == expected
    assert "num_cpus" not in ray.options
    running.close()
    assert "RAY_AUTH_MODE" not in os.environ


def test_the_choice_of_the_user_about_tokens_stands(pretended, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    ray = pretended()
    joining(monkeypatch, "JOINED 10.0.0.1:6379")
    cluster.join("10.0.0.1:6379", lambda _: None).close()
    assert ray.environment["RAY_AUTH_MODE"] == "disabled"


@pytest.mark.parametrize(
    ("given", "tried", "said"),
    [("10.0.0.2:6379", "10.0.0.2:6379", ""), ("http://10.0.0.2:8265", "auto", "jobs are submitted"), ("", "auto", "")],
)
def test_auto_is_the_cluster_of_the_environment_or_of_this_machine(given, tried, said, pretended, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", given)
    ray, asked, told = pretended(), [], []
    joining(monkeypatch, "JOINED 10.0.0.9:6379\n", asked=asked)
    cluster.join("auto", told.append).close()
    assert asked[0][0] == tried
    assert ray.options["address"] == "10.0.0.9:6379"
    assert said in told[0]
    assert os.environ["RAY_ADDRESS"] == given


REFUSALS = [
    ("REASON Could not find any running Ray instance.", "there is no Ray cluster at auto .* `ray start --head`"),
    (
        "REASON Failed to connect: AuthenticationError: InvalidAuthToken: Authentication token is missing",
        "copy ~/.ray/auth_token from there, .* Ray says: .*token is missing.$",
    ),
    ("REASON Version mismatch: Ray 2.60.0 and 2.40.0", "cannot be joined. Ray says: Version mismatch: Ray 2.60.0 and"),
    ("", "cannot be joined. Ray says: aborted.$"),
]


@pytest.mark.parametrize(("stdout", "message"), REFUSALS)
def test_the_reason_of_ray_is_passed_on(stdout, message, pretended, monkeypatch):
    pretended()
    joining(monkeypatch, stdout, "aborted")
    with pytest.raises(BenchError, match=message):
        cluster.join("auto", lambda _: None)


def test_a_port_that_never_answers_is_given_up(pretended, monkeypatch):
    def silent(command, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    joining(monkeypatch)
    monkeypatch.setattr(joinable.subprocess, "run", silent)
    with pytest.raises(BenchError, match="does not answer within 90 s"):
        cluster.join("10.0.0.1:6379", lambda _: None)


def test_the_address_for_jobs_is_told_from_that_of_a_cluster(pretended):
    with pytest.raises(BenchError, match="--ray-address takes HOST:PORT"):
        cluster.join("http://127.0.0.1:8265", lambda _: None)


def test_of_a_chain_of_errors_each_says_its_sentence_and_a_traceback_only_its_last_line():
    try:
        try:
            trace = "Traceback (most recent call last):\n  File x\n a.AuthenticationError: no token. See the guide."
            raise RuntimeError(f"No answer. Last error: {trace}")
        except RuntimeError as inner:
            raise ConnectionError("Failed to connect to 10.0.0.1:6379.\n See the guide.") from inner
    except ConnectionError as error:
        said = joinable.reason(error)
    assert said == "Failed to connect to 10.0.0.1:6379: No answer: a.AuthenticationError: no token"
