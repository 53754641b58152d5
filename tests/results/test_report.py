"""The report as a file: self-contained, the same again, accessible without scripts, harmless whatever names hold."""

import base64
import io
import json
import re
import shutil
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ddbench.results.report.provenance import origin
from ddbench.store.opening import open_store
from tests.support import records as small
from tests.support.invoke import invoke
from tests.support.page import parse
from tests.support.store import CLASSES, PROVENANCE, make_store

HARMFUL = "<script>alert(1)</script>"
QUOTED = '"><img src=x onerror=alert(1)>'
REASON = "</script><script>alert(2)</script> --> ]]> {{ 7 * 7 }} & more"


def report(tmp_path: Path, *stores, name="report.html", **options):
    out = tmp_path / name
    arguments = [part for key, value in options.items() for part in (f"--{key}", value)]
    done = invoke("report", *stores, "--out", out, *arguments)
    assert done.returncode == 0, done.stderr
    return out.read_text()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished study and its report, parsed."""
    folder = tmp_path_factory.mktemp("report")
    store = make_store(folder / "store", whole=True)
    text = report(folder, store.root)
    return text, parse(text)


def test_it_asks_for_nothing_outside_itself(made):
    text, page = made
    for element in page.all("script", "link", "img", "iframe", "object", "use", "image", "source", "form"):
        for name in ("src", "href", "action"):
            assert (element.attributes.get(name) or "data:").startswith(("data:", "#")), element
    assert not re.search(r"url\((?!#)|@import", text)
    policy = page.all("meta")[1].attributes
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert "default-src 'none'" in policy["content"] and "img-src data:" in policy["content"]


def test_its_policy_allows_its_own_script_alone(made):
    import hashlib

    text, page = made
    scripts = page.all("script")
    assert [s.attributes.get("type") for s in scripts] == ["application/json", None]
    own = text.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page.all("meta")[1].attributes["content"]
    assert "unsafe-inline'; script" in page.all("meta")[1].attributes["content"]
    assert not [e for e in page.all("button", "a", "input", "img", "body") for name in e.attributes if name[:2] == "on"]


def test_the_same_records_give_the_same_bytes_wherever_the_store_lies(tmp_path: Path, made):
    store = make_store(tmp_path / "one", whole=True)
    shutil.copytree(store.root, tmp_path / "elsewhere" / "two")
    first, second = report(tmp_path, store.root), report(tmp_path, tmp_path / "elsewhere" / "two", name="b.html")
    assert first == second
    assert str(tmp_path) not in first


def test_every_number_leads_to_its_records(made):
    _, page = made
    ids = [e.attributes["id"] for e in page.all(*{e.tag for e in walk(page)}) if e.attributes.get("id")]
    assert len(ids) == len(set(ids))
    links = [a.attributes["href"] for a in page.all("a")]
    assert all(link[1:] in ids for link in links if link.startswith("#"))
    numbers = [td for td in page.all("td") if "data-value" in td.attributes and "±" in td.text]
    assert len(numbers) == 2 * (3 + 1) + 3 * 2 + 1  # the main table shows `full` in both rows
    assert all(td.all("a")[0].attributes["href"].startswith("#p") for td in numbers)
    article = next(e for e in page.all("article") if e.attributes["data-title"] == "digits, dm, IPC 2, convnet3-w32")
    assert [[td.text for td in tr.children[1:4]] for tr in article.all("tr")[1:]] == [
        [s, e, "ok"] for s in "012" for e in "01"
    ]
    assert PROVENANCE["git"]["commit"][:12] in article.text and "torch 2.14.1" in article.text
    assert "m:dm" in article.all("pre")[0].text


def walk(element):
    yield element
    for child in element.children:
        yield from walk(child)


def test_the_main_table_is_that_of_bench_table(made, tmp_path: Path):
    store = make_store(tmp_path / "store", whole=True)
    lines = invoke("table", "--store", store.root).stdout.splitlines()
    plain = [[re.sub(r"[*]|</?u>", "", part).strip() for part in line.split("|")[1:-1]] for line in lines[:4]]
    _, page = made
    table = page.all("table")[0]
    assert [th.text for th in table.all("thead")[0].all("th")][3:] == plain[0][3:]
    shown = [
        [c.text.replace(" (best)", "").replace(" (second)", "") for c in row.children]
        for row in table.all("tbody")[0].all("tr")
    ]
    assert shown == plain[2:]
    best = [td.text for td in table.all("td") if "best" in (td.attributes.get("class") or "").split()]
    assert len(best) == 2 and all("(best)" in text for text in best)


def test_the_records_are_in_it_whole(made, tmp_path: Path):
    _, page = made
    data = json.loads(next(s for s in page.all("script") if s.attributes.get("id") == "data").text)

    def whole(value):
        if isinstance(value, list):
            return [whole(v) for v in value]
        if isinstance(value, dict):
            return whole(data["parts"][value["$ref"]]) if "$ref" in value else {k: whole(v) for k, v in value.items()}
        return value

    store = make_store(tmp_path / "store", whole=True)
    records = store.records()
    assert len(records) == len(data["records"]) == 3 * 2 * 6 + 2
    for record in records:
        shown, kept = whole(data["records"][record.key]), json.loads(json.dumps(record.to_json()))
        del shown["position"], kept["key"], kept["correct"]
        kept["curve"] = [[epoch, round(accuracy, 6)] for epoch, accuracy in kept["curve"]]
        assert shown == kept


def test_it_reads_without_scripts_and_by_ear(made):
    _, page = made
    assert page.all("html")[0].attributes["lang"] == "en"
    assert page.all("main") and page.all("nav") and page.all("header") and page.all("footer")
    assert all(th.attributes.get("scope") in {"col", "row"} for th in page.all("th"))
    assert all(img.attributes.get("alt") for img in page.all("img"))
    assert all(svg.all("title") and svg.all("desc") for svg in page.all("svg"))
    for section in page.all("section"):
        assert section.attributes["aria-labelledby"]
    levels = [int(h.tag[1]) for h in page.all("h1", "h2", "h3") if not any(a.tag == "dialog" for a in h.ancestors())]
    assert levels[0] == 1 and all(b - a <= 1 for a, b in pairwise(levels))
    for control in page.all("button", "input", "fieldset"):
        chain = [control, *control.ancestors()]
        assert any("hidden" in e.attributes for e in chain) or any(e.tag == "dialog" for e in chain)
    for region in (e for e in walk(page) if e.attributes.get("role") == "region"):
        assert region.attributes["tabindex"] == "0" and region.attributes["aria-label"]


def test_pictures_hold_the_pixels_of_the_set(made, tmp_path: Path):
    from tests.support.store import images

    store = make_store(tmp_path / "store", whole=True)
    cell = next(r.cell for r in store.records() if r.cell.method == "dm" and r.cell.ipc == 2 and r.cell.seed == 0)
    _, page = made
    (picture,) = [i for i in page.all("img") if i.attributes["alt"] == "dm, class 7: 2 images"]
    png = base64.b64decode(picture.attributes["src"].partition(",")[2])
    pixels = np.asarray(Image.open(io.BytesIO(png)))
    both = images(cell, CLASSES).of_class(7)
    assert np.array_equal(pixels[:, :8, 0], both[0, 0]) and np.array_equal(pixels[:, 9:, 0], both[1, 0])
    assert not pixels[:, 8, 1].any()  # transparent between them
    assert int(picture.attributes["width"]) % pixels.shape[1] == 0
    assert [i for i in page.all("img") if i.attributes["alt"].startswith("real train images")]


@pytest.mark.parametrize(
    ("count", "most", "across"), [(1, 9, 1), (10, 3, 2), (10, 7, 5), (5, 3, 3), (4, 2, 2), (3, 0, 1)]
)
def test_tiles_fill_their_rows(count, most, across):
    from ddbench.results.report.pictures import _across

    assert _across(count, most) == across


def test_large_images_are_shown_smaller_and_fewer():
    import numpy as np

    from ddbench.results.pictures import Pictures
    from ddbench.results.report.content import Gallery
    from ddbench.results.report.pictures import picture_table

    classes = tuple(f"class {i}" for i in range(12))
    data = Pictures(np.zeros((12 * 20, 3, 128, 96), np.uint8), np.arange(12).repeat(20), classes)
    shown = picture_table(Gallery("photos", 20, 0, {f"m{i}": data for i in range(10)}))
    assert "the first 1 of 20 images of a class, the first 10 of 12 classes" in shown.caption
    assert "Shown at 64 pixels instead of 128." in shown.caption
    assert (shown.rows[0].tiles[0].width, shown.rows[0].tiles[0].height) == (48, 64)


def test_names_and_reasons_are_text_whatever_they_hold(tmp_path: Path):
    store = make_store(
        tmp_path / "store",
        methods=(HARMFUL, QUOTED, "plain"),
        ipc=(1,),
        seeds=1,
        classes=(QUOTED, *CLASSES[1:]),
        outcome=lambda c: "failed" if c.method == QUOTED and c.eval_seed else "ok",
        reason=REASON,
    )
    text = report(tmp_path, store.root)
    page = parse(text)
    assert len(page.all("script")) == 2
    assert not [e for e in walk(page) for name in e.attributes if name.startswith("on")]
    assert not [i for i in page.all("img") if not (i.attributes.get("src") or "").startswith("data:image/png;base64,")]
    assert HARMFUL in [th.text for th in page.all("th")]
    assert QUOTED in [th.text for th in page.all("th")]
    assert REASON in next(td.text for td in page.all("td") if "reason" in (td.attributes.get("class") or ""))
    assert HARMFUL not in text and "49 &amp; more" not in text


@pytest.mark.parametrize(
    ("outcome", "seeds", "says"),
    [
        (lambda c: "missing", 2, "0 of 12 judged, 0 failed, 12 not run"),
        (lambda c: "out_of_memory", 2, "0 of 12 judged, 12 failed, 0 not run"),
        (lambda c: "failed" if c.method == "dm" and c.eval_seed else "ok", 2, "10 of 12 judged, 2 failed, 0 not run"),
        (lambda c: "missing" if c.seed else "ok", 2, "6 of 12 judged, 0 failed, 6 not run"),
        (lambda c: "ok", 1, "6 of 6 judged, 0 failed, 0 not run"),
    ],
    ids=["nothing run", "all failed", "some failed", "half way", "one seed"],
)
def test_an_unfinished_study_is_reported_as_far_as_it_is(tmp_path: Path, outcome, seeds, says):
    store = make_store(tmp_path / "s", ipc=(1,), seeds=seeds, outcome=outcome, reason="MemoryError: no room")
    page = parse(report(tmp_path, store.root))
    assert says in page.text
    (failures,) = [s for s in page.all("section") if s.attributes.get("id") == "failures"]
    if "0 failed, 0 not run" in says:
        assert "None: every cell that was asked for is judged." in failures.text
    else:
        assert "no room" in failures.text or "not run" in failures.text
        assert all(a.attributes["href"].startswith("#p") for a in failures.all("a"))


def test_sets_of_another_shape_are_left_out_of_the_pictures_and_named(tmp_path: Path):
    import torch

    from ddbench.api.galleries import galleries
    from ddbench.api.stores import Stores
    from ddbench.store.distilled import save_distilled
    from ddbench.types import LabeledImages

    store = make_store(tmp_path / "store", methods=("random", "dm"), ipc=(1,), seeds=1, eval_seeds=1)
    odd = next(r for r in store.records() if r.cell.method == "dm").config["evaluate"]["parents"][0]
    shutil.rmtree(store.folder("distill", odd))
    made = LabeledImages(torch.zeros(10, 1, 9, 9, dtype=torch.uint8), torch.arange(10), CLASSES)
    store.write("distill", odd, lambda folder: save_distilled(made, folder), {"task": {}})
    stores = Stores([store.root], print)
    (gallery,) = galleries(stores, stores.wanted, stores.records(stores.wanted))
    assert list(gallery.sets) == ["random"] and "dm is left out" in gallery.notes[0]
    assert "dm is left out" in parse(report(tmp_path, store.root)).text


def test_a_store_without_runs_is_reported_as_empty(tmp_path: Path):
    open_store(tmp_path / "empty", create=True)
    assert "the stores hold no run" in parse(report(tmp_path, tmp_path / "empty")).text


def test_the_page_is_found_beside_the_installed_code(tmp_path: Path, monkeypatch):
    """Not in a checkout that happens to be the working directory."""
    for name in ("results", "results.report"):
        monkeypatch.setitem(sys.modules, name, None)
    store = make_store(tmp_path / "s", methods=("random",), ipc=(1,))
    assert "random" in parse(report(tmp_path, store.root)).text


def test_several_stores_are_read_as_one(tmp_path: Path):
    one = make_store(tmp_path / "one", methods=("random",), ipc=(1,))
    two = make_store(
        tmp_path / "two",
        methods=("random", "dm"),
        ipc=(1,),
        outcome=lambda c: "failed" if c.method == "random" else "ok",
    )
    page = parse(report(tmp_path, one.root, two.root))
    assert "12 of 12 judged, 0 failed, 0 not run" in page.text


def test_the_best_epoch_is_said_to_be_optimistic(tmp_path: Path):
    store = make_store(tmp_path / "store", ipc=(1,), seeds=1)
    page = parse(report(tmp_path, store.root, select="best"))
    assert "at the best epoch, chosen on these images (optimistic)" in page.text
    assert all(td.text == "+5.0" for td in best_minus_last(page))


def best_minus_last(page):
    table = next(t for t in page.all("table") if t.all("caption") and "one line for each" in t.all("caption")[0].text)
    column = [th.text for th in table.all("thead")[0].all("th")].index("Best − last")
    return [row.children[column] for row in table.all("tbody")[0].all("tr")]


def test_shift_and_searches_are_shown_where_there_are_some(tmp_path: Path):
    from ddbench.api.stores import wanted
    from ddbench.results.report.content import Content, Run, Search
    from ddbench.results.report.page import render
    from ddbench.results.shift import COLUMNS, PLAIN, Measurement, shift_blocks

    store = make_store(tmp_path / "store", ipc=(2,), methods=("dm", HARMFUL))
    measures = dict.fromkeys([*(column.key for column in COLUMNS), *PLAIN], 0.25)
    measures |= {"neighbours": 5, "epsilon": 0.001, "latent_space": "pixels"}
    blocks = shift_blocks(
        [Measurement("digits", "s", 2, "dm", seed, "pixels", {**measures, "vendi": 1.0 + seed}) for seed in (0, 1)]
        + [Measurement("digits", "s", 2, HARMFUL, 0, "pixels", None, "not made yet")]
    )
    search = Search("dm on digits", "a search", ("lr", "top-1 (%)"), ((HARMFUL, "50.0"),), b"", 300)
    cells = wanted(store)
    tuned = {"tune": "dm-1", "method": "dm", "trials": 4, "cells": 8}
    runs = [Run("made", "", 12, (tuned,))]
    material = Content(cells, store.records(cells.values()), runs, shift=blocks, searches=[search], notes=["a note"])
    page = parse(render(material))
    assert any("1.50 ± 0.71" in row.text for row in page.all("tr") if row.text.startswith("dm"))
    (search_section,) = [s for s in page.all("section") if s.attributes.get("id") == "searches"]
    assert HARMFUL in [td.text for td in search_section.all("td")]
    assert "1 missing of 1: not made yet" in page.text and "a note" in page.text
    assert "chosen by the search dm-1: 4 settings of dm, 8 cells of the validation part" in page.text
    assert len(page.all("script")) == 2


def test_a_report_that_cannot_be_written_is_a_usage_error(tmp_path: Path):
    store = make_store(tmp_path / "store", ipc=(1,), seeds=1, eval_seeds=1)
    (tmp_path / "file").write_text("")
    done = invoke("report", store.root, "--out", tmp_path / "file" / "report.html")
    assert done.returncode == 2 and "Name a writable file with --out." in done.stderr
    done = invoke("report", tmp_path / "nowhere")
    assert done.returncode == 2 and "there is no store at" in done.stderr


def test_the_store_is_left_as_it_was_but_for_its_cache(tmp_path: Path):
    store = make_store(tmp_path / "store", ipc=(1,), seeds=1)

    def results():
        files = (path for path in store.root.rglob("*") if path.is_file() and "cache" not in path.parts)
        return {path: path.read_bytes() for path in files}

    before = results()
    report(tmp_path, store.root)
    assert results() == before


@pytest.mark.slow
def test_what_is_kept_gives_the_same_page_and_reads_no_real_image(tmp_path: Path, monkeypatch):
    from ddbench.data.digits import Digits

    store = make_store(tmp_path / "store", ipc=(1,), seeds=1)
    first = report(tmp_path, store.root)
    monkeypatch.setattr(Digits, "load", lambda *_: pytest.fail("the real images were read"))
    assert report(tmp_path, store.root) == first and "Among real images" in first
    for path in store.root.glob("cache/sight-*/arrays.npz"):
        path.write_bytes(b"damaged")
    monkeypatch.undo()
    assert report(tmp_path, store.root) == first


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path):
    store = make_store(tmp_path / "store", ipc=(1,), seeds=1)
    (store.root / "cache").write_text("no folder")
    assert "Among real images" in report(tmp_path, store.root)


def test_the_provenance_names_the_plug_ins_of_a_record_and_takes_records_without():
    plugin = {"name": "mine.py", "version": "", "path": "/a/mine.py", "sha256": "ab" * 32, "changed_state": []}
    package = {**plugin, "name": "their-methods", "version": "1.2"}
    with_plugins = small.record(small.cell(), 0.5, run={"provenance": {"python": "3.11", "plugins": [plugin, package]}})
    entry = SimpleNamespace(members=((small.cell(), with_plugins),))
    assert origin(entry).software == (
        "Python 3.11, plug-in mine.py (sha256 abababababab), plug-in their-methods 1.2 (sha256 abababababab)"
    )
    without = small.record(small.cell(), 0.5, run={"provenance": {"python": "3.11"}})
    former = SimpleNamespace(members=((small.cell(), without),))
    assert origin(former).software == "Python 3.11"
