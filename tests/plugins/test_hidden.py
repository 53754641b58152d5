"""A field that hides an attribute of its base class is refused by name, for every kind of plug-in."""

import inspect
from dataclasses import dataclass, field, make_dataclass

import pytest

from ddbench.errors import PluginError
from ddbench.methods.diffusion.guidances.guidance import Guidance, Steering
from ddbench.methods.diffusion.objectives.objective import Objective
from ddbench.plugins import registry
from ddbench.plugins.hidden import hidden
from ddbench.types import Dataset, Distiller, Network, Protocol, Watcher
from tests.plugins.test_plugins import plugin  # noqa: F401  (a fixture
from tests.support.invoke import invoke

BASES = (Distiller, Dataset, Network, Protocol, Objective, Guidance, Steering, Watcher)
ABSTRACT = {"classes", "shape", "split_name"}
"""properties that a field may implement"""


def public(base):
    names = {*dir(base), *(n for b in base.__mro__ for n in inspect.get_annotations(b))}
    fields = set(getattr(base, "__dataclass_fields__", {}))
    own = {n for n in fields if "ClassVar" not in str(base.__dataclass_fields__[n].type)}
    return sorted(n for n in names if not n.startswith("_") and n not in ABSTRACT | own)


@pytest.mark.parametrize(("base", "name"), [(base, name) for base in BASES for name in public(base)])
def test_a_field_that_hides_an_attribute_is_named(base, name):
    made = make_dataclass("Mine", [(name, int, field(default=1))], bases=(base,), frozen=True)
    assert f"the field {name!r}, which hides " in hidden(made)


@pytest.mark.parametrize("name", ["networks", "needs", "reads", "preparations", "distill"])
def test_a_number_in_place_of_a_method_is_named(name):
    assert hidden(type("Mine", (Distiller,), {name: 30})) == f"the attribute {name!r}, which hides Distiller.{name}()"


def test_what_implements_or_redefines_is_no_hiding():
    @dataclass(frozen=True)
    class Base(Distiller):
        weight: float = 1.0

        def distill(self, real, state, ipc, ctx): ...

    @dataclass(frozen=True)
    class Mine(Base):
        weight: float = 2.0
        family = "mine"
        separable = True

    @dataclass(frozen=True)
    class Data(Dataset):
        split_name: str = "drawn"
        classes = ("a", "b")

    assert hidden(Mine) == hidden(Data) == ""


@pytest.mark.parametrize("kind", registry.KINDS)
def test_nothing_built_in_hides_an_attribute(kind):
    for entry in registry.entries(kind).values():
        value = entry.load()
        assert hidden(value if isinstance(value, type) else type(value)) == ""


HIDING = """
from dataclasses import dataclass

from ddbench.plugins.registry import register
from ddbench.types import Distiller, Preparation


REGISTERED
@dataclass(frozen=True)
class Mine(Distiller):
    networks: int = 30

    def distill(self, real, state, ipc, ctx): ...


mine = Mine()
"""


def test_a_file_is_refused_when_it_registers(plugin):  # noqa: F811
    path = plugin("hiding", HIDING.replace("REGISTERED", '@register("method", "mine")'))
    done = invoke("run", "--plugin", path, "--methods", "mine", "--dry-run")
    assert done.returncode == 2
    assert "registered as the method 'mine'" in done.stderr
    assert "the field 'networks', which hides Distiller.networks()" in done.stderr


def test_an_installed_package_fails_its_own_cells_alone(plugin, monkeypatch):  # noqa: F811
    path = plugin("hiding_package", HIDING.replace("REGISTERED", ""))
    entry = registry.Entry("method", "mine", "hiding_package:mine", "theirs 1.0")
    monkeypatch.syspath_prepend(str(path.parent))
    with pytest.raises(PluginError, match=r"theirs 1\.0 as hiding_package:mine has the field 'networks'"):
        entry.load()


def test_a_preparation_that_hides_an_attribute_is_refused(plugin):  # noqa: F811
    text = HIDING.replace("REGISTERED", '@register("method", "mine")').replace("    networks: int = 30\n", "")
    text += """
@dataclass(frozen=True)
class Made(Preparation):
    networks: int = 2

    def run(self, real, before, ctx): ...
    def save(self, state, folder): ...
    def load(self, folder, before, ctx): ...


Mine.preparations = lambda self, seed: (Made(),)
"""
    done = invoke("run", "--plugin", plugin("hiding_part", text), "--methods", "mine", "--dry-run")
    assert done.returncode == 2
    assert "Made, a part of the method 'mine', has the field 'networks'" in done.stderr
    assert "which hides Preparation.networks()" in done.stderr
