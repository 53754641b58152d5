"""Ray as the harness uses it: a private one started on this machine, or a running cluster that is joined.

Only this module and ``tune.on_ray`` import Ray.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ddbench.errors import BenchError
from ddbench.execute.joinable import check_joinable, reason
from ddbench.processors import allowed_processors
from ddbench.stages.gpu import position

Say = Callable[[str], None]

OBJECT_STORE = 100 * 2**20
"""bytes; small, since only keys and outcomes pass through Ray"""
SOCKET = "session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
"""the longest path of a socket below Ray's folder; 4194304 is the largest process id"""
NO_HIDING = "RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES"
DEFAULTS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    NO_HIDING: "1",  # a process serves many stages, which choose their cards
    "RAY_raylet_start_wait_time_s": "90",  # of 30, which pass on a machine full of work
}
"""environment variables that are set unless somebody else has"""
CHANGED_LATER = ("RAY_AUTH_MODE", "RAY_ADDRESS")
"""environment variables that Ray sets, or that finding a cluster removes"""
QUIET = {"log_to_driver": False, "logging_level": logging.ERROR}


class Cluster:
    """A connection to Ray, of which a process has one at a time. ``close`` ends it, and a private Ray with it."""

    def __init__(self, ray: Any, undo: ExitStack) -> None:
        self.ray = ray
        self._undo = undo

    def close(self) -> None:
        """Also when it is closed already."""
        self._undo.close()


def start(say: Say, instead: str = "") -> Cluster:
    """A private Ray on this machine, with the processors that this process is allowed to use.

    It has a folder and an access token of its own, both removed at the end, so that nothing is left in the home folder
    and nobody else reaches it. What the environment says about other clusters does not count. Its processes end with
    this one, however it ends; after a SIGKILL two idle agents remain for a minute, and its folder. Raises BenchError
    when it cannot start; ``instead`` says what else to do then.
    """
    _check_unconnected()
    if address := os.environ.get("RAY_ADDRESS"):
        say(f"RAY_ADDRESS={address} is not used: this run has a Ray of its own; --ray-address joins a running cluster")
    processors = allowed_processors()
    say(f"starting Ray on {processors} processor{'s' * (processors > 1)}")
    with ExitStack() as undo:
        folder = Path(undo.enter_context(private_folder(instead)))
        undo.enter_context(_environment(_alone(folder)))
        ray = _import()
        undo.callback(_end, ray, folder)
        _connect(
            ray,
            f"Ray cannot start here, in {folder.parent}",
            instead,
            address="local",
            include_dashboard=False,
            num_cpus=processors,
            object_store_memory=OBJECT_STORE,
            _temp_dir=str(folder),
        )
        return Cluster(ray, undo.pop_all())


def own_card() -> int | None:
    """In a worker: the number, as the process counts its cards, of the one that Ray gave to this task; None for none.

    Ray would hide all others by CUDA_VISIBLE_DEVICES, which a process that has used a card does not read again: it
    would go on computing on the card of the stage before.
    """
    import ray

    return position(sorted(ray.get_gpu_ids(), key=str), os.environ)


def hide_other_cards() -> None:
    """In a process that has the same cards for life: show it those alone, as Ray does where it is left to."""
    import ray

    if assigned := ray.get_gpu_ids():
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(str(card) for card in assigned)


def sees_all_cards() -> dict[str, dict[str, str]]:
    """The ``runtime_env`` of tasks on a cluster that somebody else started, whose workers must see all cards too."""
    return {"env_vars": {NO_HIDING: "1"}}


def _end(ray: Any, folder: Path) -> None:
    """Shut Ray down, and those processes of a start that failed which Ray has forgotten by then."""
    ray.shutdown()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            ours = parent == os.getpid() and os.fsencode(folder) in (entry / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if ours:
            with suppress(ProcessLookupError):
                os.kill(int(entry.name), signal.SIGKILL)
                os.waitpid(int(entry.name), 0)


def join(address: str, say: Say) -> Cluster:
    """The running cluster at ``address``: ``HOST:PORT``, or ``auto`` for that of RAY_ADDRESS or of this machine.

    Where there is an access token, it is shown, as the commands of Ray do. Raises BenchError, with Ray's reason, when
    there is no cluster or it cannot be joined.
    """
    _check_unconnected()
    with ExitStack() as undo:
        undo.enter_context(_environment(_with_token(os.environ)))
        address = check_joinable(address, say)
        say(f"joining the Ray cluster at {address}")
        ray = _import()
        undo.callback(ray.shutdown)
        _connect(ray, f"the Ray cluster at {address} cannot be joined", "", address=address)
        return Cluster(ray, undo.pop_all())


def private_folder(instead: str = "") -> TemporaryDirectory[str]:
    """A new folder for this user alone, in which the sockets of Ray have room; it is removed on exit.

    In RAY_TMPDIR or TMPDIR where that can be, else in a shorter one: the path of a socket has at most 107 bytes, which
    the folders of batch systems exceed. Raises BenchError when there is none.
    """
    said = [os.environ.get(name) for name in ("RAY_TMPDIR", "TMPDIR")]
    tried = {}
    for parent in dict.fromkeys(filter(None, [*said, "/tmp", os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm"])):
        try:
            folder = TemporaryDirectory(prefix="ray-", dir=Path(parent).absolute(), ignore_cleanup_errors=True)
            try:
                with socket.socket(socket.AF_UNIX) as trial:
                    trial.bind(f"{folder.name}/{'s' * len(SOCKET)}")
            except BaseException:
                folder.cleanup()
                raise
        except OSError as error:
            tried[parent] = error.strerror or str(error)
        else:
            return folder
    problems = "; ".join(f"{parent}: {problem}" for parent, problem in tried.items())
    raise BenchError(
        f"Ray cannot start here: no folder takes its sockets ({problems}). Set RAY_TMPDIR to a short path that you may "
        f"write. {instead}".strip()
    )


def _alone(folder: Path) -> dict[str, str | None]:
    """The environment of a private Ray in ``folder``: None for a variable that must not be there."""
    changes: dict[str, str | None] = {"RAY_ADDRESS": None, "RAY_JOB_CONFIG_JSON_ENV_VAR": None}
    if os.environ.get("RAY_AUTH_MODE", "token").lower() == "token":
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        changes |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": None, "RAY_AUTH_TOKEN_PATH": str(token)}
    return changes


def _with_token(environment: Mapping[str, str]) -> dict[str, str | None]:
    """The environment in which a cluster is joined. Ray shows a token by itself only where it searches the cluster."""
    if "RAY_AUTH_MODE" in environment:
        return {}
    given = environment.get("RAY_AUTH_TOKEN") or environment.get("RAY_AUTH_TOKEN_PATH")
    try:
        there = bool(given) or (Path.home() / ".ray/auth_token").is_file()
    except (OSError, RuntimeError):  # no home folder, or one that may not be read
        there = False
    return {"RAY_AUTH_MODE": "token"} if there else {}


def _environment(changes: Mapping[str, str | None]) -> ExitStack:
    """``changes`` of the environment within the block, together with the settings that Ray has read from it."""
    before = {name: os.environ.get(name) for name in (*changes, *DEFAULTS, *CHANGED_LATER)}
    undo = ExitStack()
    undo.callback(_read_settings)  # the last to be undone: reads the environment as it was
    undo.callback(_set, before)
    _set({name: os.environ.get(name, default) for name, default in DEFAULTS.items()})
    _set(changes)
    return undo


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _check_unconnected() -> None:
    """Raises BenchError where somebody has connected this process to Ray, which is left to them."""
    if "ray" in sys.modules and sys.modules["ray"].is_initialized():
        raise BenchError(
            "this process has called ray.init already, and a process has one connection to Ray: call ray.shutdown() "
            "first, or run stages inline."
        )


def _import() -> Any:
    import ray

    _read_settings()
    return ray


def _read_settings() -> None:
    """Let Ray read the mode and token of access again, which it keeps for the life of a process."""
    if "ray" not in sys.modules:
        return
    try:
        from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]
    except ImportError:  # an earlier release, which has no tokens
        return
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


def _connect(ray: Any, what: str, instead: str, **options: Any) -> None:
    """``ray.init(**options)``.

    Raises BenchError, saying ``what`` went wrong, Ray's reason and what to do ``instead``.
    """
    try:
        ray.init(**options, **QUIET)
    except SystemExit as error:
        if error.code == signal.SIGTERM:  # Ray's handler of the signal exits with its number
            raise KeyboardInterrupt from None
        raise BenchError(f"{what}: {reason(error)}. {instead}".strip()) from None
    except Exception as error:
        raise BenchError(f"{what}: {reason(error)}. {instead}".strip()) from None
