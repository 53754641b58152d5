"""Whether a Ray cluster can be joined, found out before this process depends on it.

Where an address is wrong, Ray waits for minutes, prints what its C++ code logs, and may abort the process that asked.
So another process tries first, within a limit of time, and its reason is passed on.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable

from ddbench.errors import BenchError

ANSWERS_WITHIN = 90.0
"""seconds; a process starts and imports Ray, and Ray itself gives up after about 35"""
LONGEST = 400
"""characters of what Ray says about one problem"""
TRIAL = """
import logging, sys
from ddbench.execute.joinable import reason
import ray
try:
    ray.init(sys.argv[1], log_to_driver=False, logging_level=logging.CRITICAL)
except BaseException as error:
    print("REASON " + reason(error))
    sys.stdout.flush()
    import os
    os._exit(1)
print("JOINED", ray.get_runtime_context().gcs_address if sys.argv[1] == "auto" else sys.argv[1])
"""


def check_joinable(address: str, say: Callable[[str], None]) -> str:
    """The address ``HOST:PORT`` behind ``address``, which may be ``auto``.

    Raises BenchError when it cannot be joined.
    """
    if address == "auto":
        address = _from_environment(say)
    if address.startswith(("http://", "https://")):
        raise BenchError(
            f"{address} is where `ray job submit` sends jobs: --ray-address takes HOST:PORT as given to `ray start "
            "--address`, usually port 6379."
        )
    try:
        _reach(address)
    except (OSError, ValueError) as error:
        raise _none(address, str(error)) from None
    try:
        done = subprocess.run(
            [sys.executable, "-c", TRIAL, address], capture_output=True, text=True, timeout=ANSWERS_WITHIN
        )
    except subprocess.TimeoutExpired:
        raise _none(address, f"something listens there and does not answer within {ANSWERS_WITHIN:g} s") from None
    joined = re.search(r"^JOINED (\S+)", done.stdout, re.MULTILINE)
    if joined:
        return joined[1]
    why = re.search(r"^REASON (.*)", done.stdout, re.MULTILINE)
    raise _refused(address, why[1] if why else reason(RuntimeError(done.stderr.strip() or "Ray ended without a word")))


def reason(error: BaseException) -> str:
    """What an exception of Ray says in one line, with what caused it."""
    said: list[str] = []
    following: BaseException | None = error
    while following is not None:
        text = _sentence(str(following)) or type(following).__name__
        if not any(text in other for other in said):
            said.append(text)
        following = following.__cause__ or following.__context__
    return ": ".join(said).rstrip(".")


def _sentence(text: str) -> str:
    """The first sentence of a message; of a traceback within it that of its last line too."""
    message, _, trace = text.partition("Traceback (most recent call last)")
    parts = [message, (trace.strip().splitlines() or [""])[-1]]
    first = [re.split(r"\. [A-Z]", " ".join(part.split()))[0].rstrip(".: ") for part in parts]
    return ": ".join(filter(None, first))[:LONGEST]


def _from_environment(say: Callable[[str], None]) -> str:
    given = os.environ.get("RAY_ADDRESS", "")
    if given.startswith(("http://", "https://")):
        say(f"RAY_ADDRESS={given} is where jobs are submitted: the cluster of this machine is searched for")
        os.environ.pop("RAY_ADDRESS")
        return "auto"
    return given or "auto"


def _reach(address: str) -> None:
    """Raises OSError or ValueError when nothing listens at ``host:port``; Ray itself would try for two minutes."""
    if address != "auto":
        host, _, port = address.rpartition("://")[2].rpartition(":")
        socket.create_connection((host, int(port)), timeout=5).close()


def _none(address: str, why: str) -> BenchError:
    return BenchError(
        f"there is no Ray cluster at {address} ({why}). Start one with `ray start --head`, or leave --ray-address out "
        "for a private one."
    )


def _refused(address: str, why: str) -> BenchError:
    if re.search("auth|token", why, re.IGNORECASE):
        return BenchError(
            f"the Ray cluster at {address} cannot be joined: it wants the token of the machine that it was started on: "
            f"copy ~/.ray/auth_token from there, or set RAY_AUTH_TOKEN, and unset RAY_AUTH_MODE. Ray says: {why}."
        )
    if re.search("find any running|connect", why, re.IGNORECASE):
        return _none(address, why)
    return BenchError(f"the Ray cluster at {address} cannot be joined. Ray says: {why}.")
