"""Imports point one way and never in a circle; heavy libraries stay out of light commands."""

import ast
import tomllib
from pathlib import Path

import pytest

from tests.support.light import loaded_by_command

ROOT = Path(__file__).parents[1]
FOLDERS = ("benchmark", "methods", "evaluators", "results", "configs")

GROUND = {
    "batches",
    "computing",
    "context",
    "errors",
    "finite",
    "hyperparameters",
    "needs",
    "images",
    "keys",
    "learning",
    "levels",
    "paths",
    "processors",
    "records",
    "seeding",
    "steps",
    "stored_labels",
    "turns",
    "types",
    "watchers",
    "weights",
    "wording",
}
FLOORS = (
    GROUND,
    {"isolation"},
    {"plugins", "store"},
    {"config"},
    {"data", "plan"},
    {"stages"},
    {"execute"},
    {"conformance", "tune"},
    {"methods", "evaluators", "results"},
    {"api"},
    {"cli", ""},
)
"""modules and packages of ddbench: each stands on the floors before its own, and no room on its neighbours; "" is the
package itself, the door"""

STRANGERS = ("methods", "evaluators", "results")
"""what stands on the ground alone, as anybody's plug-in does: methods, evaluators and results know nothing of the
harness, of which only the api and the command line know them"""


def modules():
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def name_of(path):
    folder, *rest = path.relative_to(ROOT).with_suffix("").parts
    parts = ["ddbench", *([] if folder == "benchmark" else [folder]), *rest]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in modules()}


def imports(source, package="ddbench"):
    """The names that a module's import lines mention, under TYPE_CHECKING and inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def edges(sources):
    """module -> the modules that it imports, of those in ``sources`` (module -> source)."""
    found = {}
    for name, source in sources.items():
        targets = set()
        for imported in imports(source):
            while imported and imported not in sources:
                imported = imported.rpartition(".")[0]
            targets.add(imported)
        found[name] = targets - {"", name}
    return found


def circle(graph):
    """Modules that import each other in a circle, in order; empty when there is none."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        path.append(name)
        for target in sorted(graph.get(name, ())):
            if found := visit(target):
                return found
        path.pop()
        done.add(name)
        return []

    for name in sorted(graph):
        if found := visit(name):
            return found
    return []


def room(name):
    return name.split(".")[1] if "." in name else ""


def floor(name):
    return next(n for n, rooms in enumerate(FLOORS) if room(name) in rooms)


def misdirected(graph):
    """``a -> b`` for each import that does not lead to a lower floor, or to the same room."""
    wrong = []
    for name, targets in graph.items():
        for target in targets:
            own = room(name) == room(target) or (room(name) in GROUND and room(target) in GROUND)
            lower = floor(target) < floor(name)
            if room(name) in STRANGERS:
                lower = room(target) in GROUND
            if not own and not lower:
                wrong.append(f"{name} -> {target}")
    return wrong


@pytest.fixture(scope="module")
def graph():
    return edges({name: path.read_text() for name, path in NAMES.items()})


def test_no_modules_import_each_other_in_a_circle(graph):
    assert circle(graph) == []


def test_imports_lead_down(graph):
    assert misdirected(graph) == []


@pytest.mark.parametrize(
    "line",
    [
        "from ddbench.store.leases import Leases",
        "if TYPE_CHECKING:\n    from ddbench.store.leases import Leases",
        "def f():\n    from ddbench.store.leases import Leases",
        "from ddbench.store import leases",
    ],
)
def test_a_circle_that_is_put_in_is_found(line):
    sources = {name: path.read_text() for name, path in NAMES.items()}
    sources["ddbench.store.folder"] += f"\n{line}\n"
    assert {"ddbench.store.folder", "ddbench.store.leases"} <= set(circle(edges(sources)))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("ddbench.plan.shift", "from ddbench.execute.observer import Observer"),
        ("ddbench.methods.dm", "from ddbench.store.folder import Store"),
        ("ddbench.results.cost", "from ddbench.methods.dm import DM"),
        ("ddbench.types", "from ddbench.config.values import build"),
        ("ddbench.api.run", "from ddbench.cli.main import main"),
    ],
)
def test_an_import_that_leads_up_is_found(name, line):
    sources = {name: path.read_text() for name, path in NAMES.items()}
    sources[name] += f"\n{line}\n"
    assert [wrong for wrong in misdirected(edges(sources)) if wrong.startswith(f"{name} -> ")]


def test_ray_is_imported_in_one_file_and_ray_tune_in_another():
    users = [
        name for name, path in NAMES.items() if any(i.partition(".")[0] == "ray" for i in imports(path.read_text()))
    ]
    assert users == ["ddbench.execute.cluster", "ddbench.tune.on_ray"]


@pytest.mark.parametrize("name", NAMES)
def test_files_are_short_and_say_what_they_are(name):
    text = NAMES[name].read_text()
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring, f"{name} has no docstring"
    assert "TODO" not in docstring
    assert len(text.splitlines()) <= 320


def test_every_package_is_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {name for name, path in NAMES.items() if path.name == "__init__.py"}
    assert set(project["tool"]["setuptools"]["packages"]) == packages


OLD = "|".join(FOLDERS)


def test_nothing_imports_a_folder_of_the_checkout_by_its_name():
    """From the checkout ``import benchmark`` would be a second copy of the same files."""
    files = [
        p for pattern in ("*.py", "*.md", "*.txt", "*.ipynb") for p in ROOT.rglob(pattern) if ".git" not in p.parts
    ]
    import re

    pattern = re.compile(rf"^\W*(from|import) ({OLD})\b", re.MULTILINE)
    assert [str(p.relative_to(ROOT)) for p in files if pattern.search(p.read_text())] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["list", "methods"],
        ["list", "archs", "--json"],
        ["list", "configs"],
        ["run", "--dry-run"],
        ["plan"],
        ["tune", "dm", "--param", "methods.dm.lr=grid(1,2)", "--dry-run"],
        ["tune", "--help"],
    ],
    ids=" ".join,
)
def test_light_commands_import_nothing_heavy(arguments):
    assert loaded_by_command(*arguments) == []
