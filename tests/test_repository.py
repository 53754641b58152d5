"""What stands at the root of the repository agrees with the project's metadata."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.test_architecture import FLOORS, GROUND, STRANGERS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()


def test_the_citation_names_this_version_and_its_contributors_as_one_entity():
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["title"] == PROJECT["name"]
    assert CITATION["version"] == PROJECT["version"]
    assert CITATION["license"] == PROJECT["license"]
    assert [set(author) for author in CITATION["authors"]] == [{"name"}]
    assert CITATION["message"]


def test_the_changelog_begins_with_this_version_and_the_date_of_the_citation():
    versions = re.findall(r"^## \[(.+?)\] - (\S+)$", CHANGELOG, re.M)
    assert versions[0] == (PROJECT["version"], CITATION["date-released"])
    assert versions == sorted(versions, reverse=True)


def test_the_licence_is_the_whole_apache_licence():
    text = (ROOT / "LICENSE").read_text()
    assert text.split()[:4] == ["Apache", "License", "Version", "2.0,"]
    assert re.findall(r"^   (\d)\. ", text, re.M) == list("123456789")
    assert "END OF TERMS AND CONDITIONS" in text
    assert "APPENDIX: How to apply the Apache License to your work." in text


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_what_a_page_links_to_exists(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text().replace("\n", " "))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_contributing_places_every_room_of_the_floors():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rooms = set().union(*FLOORS) - GROUND - {""}
    assert [room for room in rooms if f"`{room if room in STRANGERS else f'benchmark/{room}'}/`" not in text] == []
    assert [m for m in GROUND if f"{m}.py`" not in text and f"benchmark/{m}/`" not in text] == []
    for path in re.findall(r"`((?:benchmark|tests|docs|methods)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
