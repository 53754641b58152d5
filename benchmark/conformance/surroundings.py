"""Other surroundings for another process: working folder, HOME, time zone, locale, host name, date and hour."""

from __future__ import annotations

import ctypes
import datetime as datetimes
import gc
import locale
import os
import platform
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HOST = "elsewhere"
LATER = 400 * 86400 + 11 * 3600 + 17 * 60
"""seconds by which the clock of the other process is ahead: another year, month, weekday, hour and minute"""
EAST = 3
"""hours by which its time zone lies further east, so that its local hour is another one too"""
HASHES = "20261"
"""its PYTHONHASHSEED"""
LOCALES = ("de_DE.UTF-8", "tr_TR.UTF-8", "fr_FR.UTF-8", "C.UTF-8", "C")
DEPTH = 6
"""how deep its working folder lies: relative paths may lead up"""


def environment(folder: Path) -> dict[str, str]:
    """The environment of a process that lives in ``folder``. Downloaded files are found where they are now."""
    home, hours = folder / "home", -time.timezone / 3600 + EAST
    home.mkdir(parents=True)
    caches = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    sign, minutes = "-" if hours >= 0 else "+", round(abs(hours) * 60)
    there = _locale()
    return {
        **os.environ,
        "HOME": str(home),
        "XDG_CACHE_HOME": caches,
        "TZ": f"<other>{sign}{minutes // 60}:{minutes % 60:02}",
        "LC_ALL": there,
        "LANG": there,
        "HOSTNAME": HOST,
        "USER": HOST,
        "LOGNAME": HOST,
        "PYTHONHASHSEED": HASHES,
    }


def _locale() -> str:
    """A locale that this machine has, other than that of this process."""
    here = locale.setlocale(locale.LC_ALL)
    now = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or "C"
    try:
        for name in LOCALES:
            if name.replace("-", "").lower() != now.replace("-", "").lower():
                try:
                    locale.setlocale(locale.LC_ALL, name)
                except locale.Error:
                    continue
                return name
    finally:
        locale.setlocale(locale.LC_ALL, here)
    return "C"


def working_folder(folder: Path, config: Any) -> Path:
    """A new working folder, from which the relative paths in ``config`` lead to the same files as from here."""
    there = folder.joinpath("work", *(["other"] * DEPTH))
    there.mkdir(parents=True)
    for text in _texts(config):
        home = text.startswith("~/")
        link = folder / "home" / text[2:] if home else Path(os.path.normpath(there / text))
        target = Path(text).expanduser() if home else Path(text)
        relative = text.strip(".") and not Path(text).is_absolute()
        if relative and not link.exists() and link.is_relative_to(folder) and target.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target.absolute())
    return there


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def enter() -> None:
    """Change what Python says in this process of its host, the date and the time. Call it first in a new process."""
    system, _, *rest = os.uname()
    renamed = os.uname_result((system, HOST, *rest))
    os.uname = lambda: renamed
    socket.gethostname = lambda: HOST
    socket.getfqdn = lambda name="": name or HOST
    platform.node = lambda: HOST
    _move_clock()


def _move_clock() -> None:
    now, now_ns, local, gm = time.time, time.time_ns, time.localtime, time.gmtime
    get, text, formatted, as_text = time.clock_gettime, time.ctime, time.strftime, time.asctime
    time.time = lambda: now() + LATER
    time.time_ns = lambda: now_ns() + LATER * 10**9
    time.clock_gettime = lambda clock: get(clock) + (LATER if clock == time.CLOCK_REALTIME else 0)
    time.localtime = lambda seconds=None: local(time.time() if seconds is None else seconds)
    time.gmtime = lambda seconds=None: gm(time.time() if seconds is None else seconds)
    time.ctime = lambda seconds=None: text(time.time() if seconds is None else seconds)
    time.strftime = lambda form, when=None: formatted(form, when or time.localtime())
    time.asctime = lambda when=None: as_text(when or time.localtime())
    # Compiled modules take the type itself, and its size, so that no subclass may stand in its place.
    _in_class(datetimes.datetime, now=lambda cls, tz=None: cls.fromtimestamp(time.time(), tz))
    _in_class(datetimes.datetime, utcnow=lambda cls: cls.fromtimestamp(time.time(), datetimes.UTC).replace(tzinfo=None))
    _in_class(datetimes.datetime, today=lambda cls: cls.fromtimestamp(time.time()))
    _in_class(datetimes.date, today=lambda cls: cls.fromtimestamp(time.time()))


def _in_class(cls: type, **methods: Any) -> None:
    """Give a class that is written in C other class methods."""
    (attributes,) = gc.get_referents(cls.__dict__)
    attributes.update({name: classmethod(method) for name, method in methods.items()})
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(cls))
