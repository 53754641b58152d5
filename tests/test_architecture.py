"""Imports point one way; heavy libraries stay out of light commands."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("benchmark", "methods", "evaluators", "results")

# What methods, evaluators and results may stand on.
GROUND = {
    "benchmark.types",
    "benchmark.errors",
    "benchmark.seeding",
    "benchmark.keys",
    "benchmark",
}


def modules():
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            yield node.module


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_one_way(path):
    package = name_of(path).partition(".")[0]
    for imported in imports(path):
        root = imported.partition(".")[0]
        if root not in PACKAGES:
            continue
        if package == "benchmark":
            allowed = root == "benchmark" or name_of(path).startswith("benchmark.cli")
        else:
            allowed = root == package or imported in GROUND
        assert allowed, f"{name_of(path)} imports {imported}"


@pytest.mark.parametrize("path", [p for p in modules() if "benchmark/cli" not in str(p)], ids=name_of)
def test_nothing_but_the_command_line_imports_the_command_line(path):
    assert not [name for name in imports(path) if name.startswith("benchmark.cli")]


def test_ray_is_imported_in_one_file_and_ray_tune_in_another():
    users = [name_of(p) for p in modules() if any(i.partition(".")[0] == "ray" for i in imports(p))]
    assert users == ["benchmark.execute.on_ray", "benchmark.execute.tuning"]


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_files_are_short_and_say_what_they_are(path):
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), f"{path} has no docstring"
    assert len(text.splitlines()) <= 320


def loaded_by(*arguments):
    """Which heavy libraries a ``bench`` command imports."""
    code = (
        "import sys; from benchmark.cli.main import main\n"
        f"sys.argv = ['bench', *{list(arguments)!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = ['torch', 'ray', 'diffusers', 'torchvision', 'pandas', 'matplotlib', 'sklearn', 'numpy']\n"
        "print('LOADED', *[m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()[-1].split()[1:]


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
        ["tune", "--help"],
    ],
    ids=" ".join,
)
def test_light_commands_import_nothing_heavy(arguments):
    assert loaded_by(*arguments) == []
