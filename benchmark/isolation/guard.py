"""Putting process-wide settings back as they were when a guard began, and telling which had been changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from ddbench.isolation import imports
from ddbench.isolation.libraries import LIBRARIES
from ddbench.isolation.settings import PYTHON, Setting, drawn

SETTINGS: tuple[Setting, ...] = (*PYTHON, *LIBRARIES)
GENERATORS = tuple(setting.name for setting in SETTINGS if setting.tell is drawn)
BY_IMPORTS = tuple(setting.name for setting in SETTINGS if setting.by_imports)


class Guard:
    """The settings as they are now. ``put_back`` restores them at any later time, and ``changes`` collects what it
    restored: ``torch's default dtype: torch.float32 -> torch.float64``.

    ``leaving`` names settings that are left alone.
    """

    def __init__(self, leaving: tuple[str, ...] = ()) -> None:
        self.settings = [setting for setting in SETTINGS if setting.name not in leaving]
        self.before: dict[str, Any] = {}
        self.changes: list[str] = []
        self.observe()

    def observe(self, imported: str = "") -> None:
        """Read the settings that were not read before, such as those of a library that was ``imported`` just now."""
        for setting in self.settings:
            if setting.name not in self.before and (
                setting.library in ("", imported) or imports.ready(setting.library)
            ):
                self.before[setting.name] = setting.read()

    def put_back(self) -> list[str]:
        """Restore what differs from the time of the last call; the changes since then. Later ones are told again."""
        told = []
        for setting in self.settings:
            if self.before.get(setting.name, ...) is None:  # there is something to put back from now on
                self.before[setting.name] = setting.read()
            elif setting.name in self.before and (change := _restore(setting, self.before[setting.name])):
                told.append(f"{setting.name}: {change}")
        self.changes += [change for change in told if change not in self.changes]
        return told


def _restore(setting: Setting, before: Any) -> str:
    """Put one setting back; the change as text, or empty."""
    try:
        now = setting.read()
        if setting.by_imports:
            before = _with_those_of_libraries(before, now, _of_libraries[setting.name])
        if now == before:
            return ""
        change = setting.tell(before, now)
        setting.restore(before)
        return change if setting.read() == before else f"{change}, which could not be put back"
    except Exception as error:  # a change that left it unreadable
        with suppress(Exception):
            setting.restore(before)
        return f"it cannot be read or put back ({type(error).__name__}: {' '.join(str(error).split())})"


_of_libraries: defaultdict[str, list[Any]] = defaultdict(list)
"""setting -> the keys or entries of it that libraries changed while they were imported"""


def _with_those_of_libraries(before: Any, now: Any, theirs: list[Any]) -> Any:
    """``before`` with the values that ``now`` has for what libraries set up while they were imported."""
    if isinstance(before, Mapping):
        others = {key: value for key, value in before.items() if key not in theirs}
        return {**others, **{key: now[key] for key in theirs if key in now}}
    places = [entry for entry in now if entry in theirs and entry not in before]
    kept = [entry for entry in before if entry not in theirs or entry in now]
    return now if [entry for entry in now if entry not in places] == kept else [*places, *kept]


def _library_begins() -> Callable[[], None]:
    """What libraries set up while they are imported stays; numbers that they drew, and modes, are put back at once, so
    that no result depends on which stage of a process was the first to import a library."""
    others = Guard(leaving=BY_IMPORTS) if _guards.get() else None
    values = {setting.name: setting.read() for setting in SETTINGS if setting.by_imports}

    def ended() -> None:
        for setting in SETTINGS:
            if setting.by_imports:
                accept(setting.name, values[setting.name], setting.read())
        if others:
            others.put_back()

    return ended


def accept(name: str, before: Any, after: Any) -> None:
    """Let the difference of two values of the setting ``name``, one of ``BY_IMPORTS``, stay from here on."""
    _of_libraries[name] += _moved(before, after)


def _moved(before: Any, after: Any) -> list[Any]:
    if isinstance(before, Mapping):
        return [key for key in {*before, *after} if before.get(key) != after.get(key)]
    return [entry for entry in after if entry not in before] + [entry for entry in before if entry not in after]


_guards: ContextVar[tuple[Guard, ...]] = ContextVar("guards", default=())


def _executed(module: Any) -> None:
    if module.__name__ in {setting.library for setting in LIBRARIES}:
        for guard in _guards.get():
            guard.observe(module.__name__)


@contextmanager
def guarded(leaving: tuple[str, ...] = ()) -> Iterator[Guard]:
    """Within the block ``put_back`` of this module puts back what the block changed; so does its end, in any case."""
    _listen()
    guard = Guard(leaving)
    token = _guards.set((*_guards.get(), guard))
    try:
        yield guard
    finally:
        _guards.reset(token)
        guard.put_back()


def put_back() -> None:
    """Put back what was changed since the innermost guard began; does nothing without one."""
    if guards := _guards.get():
        guards[-1].put_back()


def changes() -> list[str]:
    """What was put back since the innermost guard began, as text, one a setting."""
    guards = _guards.get()
    return list(guards[-1].changes) if guards else []


def _listen() -> None:
    imports.watch()
    if _library_begins not in imports.around_library:
        imports.around_library.append(_library_begins)
        imports.on_executed.append(_executed)
