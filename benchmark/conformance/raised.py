"""Where an exception was raised: the file and line of the plug-in, not those of the library that it called."""

from __future__ import annotations

import re
import sysconfig
import traceback
from collections.abc import Sequence
from pathlib import Path

HARNESS = str(Path(__file__).resolve().parents[1])
STANDARD = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib")})


class Told(Exception):
    """An exception of another process, whose message has its type, file and line."""


def described(error: BaseException) -> str:
    """An exception as one line: its type, message, file and line. Of a Told it is the message alone."""
    text = " ".join(str(error).split())
    if isinstance(error, Told):
        return text
    frames = [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)]
    return (f"{type(error).__name__}: {text}" if text else type(error).__name__) + _at(frames)


def place_in(text: str) -> str:
    """``, at my_method.py, line 12`` from a traceback as text; empty where it names no line."""
    return _at([(name, int(line)) for name, line in re.findall(r'^ *File "([^"]+)", line (\d+)', text, re.MULTILINE)])


def _at(frames: Sequence[tuple[str, int]]) -> str:
    own = [frame for frame in frames if not _is_library(frame[0]) and not frame[0].startswith(HARNESS)]
    return "".join(f", at {Path(name).name}, line {line}" for name, line in (own or list(frames))[-1:])


def _is_library(name: str) -> bool:
    return name.startswith(("<", *STANDARD)) or "site-packages" in name or "dist-packages" in name
