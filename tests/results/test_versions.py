"""Versions of methods and networks: never averaged, named where mixed, and where older than the code."""

import json

from ddbench.api.captions import facts_of
from ddbench.results.statistics.versions import named_parts, several_versions, version_in
from ddbench.results.tables import CaptionFacts, as_text
from tests.results.test_results import only
from tests.support.invoke import invoke
from tests.support.records import cell, hexkey, record, stored

VIEW = {"shorter": 256, "side": 224, "filter": "bilinear"}


def made(seed=0, network="ddbench:ResNet18@2", method="ddbench:DM@2", guidance=None, **kw):
    """A record of a set of the given versions."""
    one = record(cell("dm", seed=seed, arch="resnet18"), 0.5, network={"type": network}, key=hexkey(seed), **kw)
    described = {"type": method, **({"guidance": {"type": guidance, "k": 1}} if guidance else {})}
    one.config["distill"] = {"method": described}
    return one


def test_the_version_is_in_the_name_of_a_class():
    assert [version_in(name) for name in ("ddbench:DM", "ddbench:DM@2", "mine:A.B@13")] == [1, 2, 13]
    assert dict(named_parts(made(guidance="ddbench:IGD@3"))) == {
        "resnet18": "ddbench:ResNet18@2",
        "dm": "ddbench:DM@2",
        "IGD": "ddbench:IGD@3",
    }


def test_a_cell_of_several_versions_has_no_mean_and_names_them():
    mixed = [made(0, variant="a", network="ddbench:ResNet18"), made(1, variant="b")]
    assert only(mixed).mean is None
    assert as_text(only(mixed)) == "(of several versions: resnet18@1, resnet18@2)"
    methods = [made(0, variant="a", method="ddbench:DM"), made(1, variant="b")]
    assert as_text(only(methods)) == "(of several versions: dm@1, dm@2)"
    options = [made(0, variant="a"), made(1, variant="b")]
    assert as_text(only(options)) == "(mixed configurations)"


def test_parts_inside_a_method_have_versions_of_their_own():
    records = [made(0, guidance="ddbench:IGD"), made(1, guidance="ddbench:IGD@2")]
    assert several_versions(records) == ["IGD@1", "IGD@2"]
    assert several_versions(records[:1]) == []


def test_the_caption_names_what_is_of_an_earlier_version_than_the_code(tmp_path):
    old, other = made(0, network="evaluators.networks:ResNet18", method="ddbench:DM"), made(1)
    place = ("s/test", "p@1")
    assert facts_of([old]).earlier == {place: ("resnet18@1 (now resnet18@2)", "dm@1 (now dm@2)")}
    assert facts_of([other]).earlier == {}
    stored(tmp_path / "s", [old])
    done = invoke("table", "--store", tmp_path / "s")
    told = "protocol p@1. Of an earlier version: resnet18@1 (now resnet18@2), dm@1 (now dm@2). Judges with * differ"
    assert told in done.stdout
    assert "resnet18 in initial weights." in done.stdout


def test_the_caption_says_how_test_images_were_decoded():
    decoded = {"type": "ddbench:HardLabels", "test_images": "decoded"}
    views = [
        made(protocol=decoded, judged={"split": "test", "view": VIEW}),
        made(protocol=decoded, judged={"split": "test"}),
        made(protocol={"type": "ddbench:HardLabels", "test_images": "stored"}, judged={"split": "test"}),
    ]
    found = [facts_of([one]).views.get(("s/test", "p@1"), "") for one in views]
    seen = "test images decoded to 256 px bilinear, centre 224 px"
    assert found == [seen, "test images as the dataset gives them", ""]
    told = facts_of(views[:1]).place("s/test", "p@1")
    assert told.startswith(f"Split s/test, protocol p@1 (hard labels; {seen}). ")
    assert CaptionFacts({"p@1": "hard"}).place("s/test", "p@1") == "Split s/test, protocol p@1 (hard labels)."


def test_info_tells_the_version():
    (found,) = json.loads(invoke("info", "resnet18", "--json").stdout)
    assert found["version"] == 2
    assert "resnet18  arch, version 2: " in invoke("info", "resnet18").stdout
    assert "convnet3  arch: " in invoke("info", "convnet3").stdout
