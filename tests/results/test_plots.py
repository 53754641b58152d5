"""Figures: what they average, where they put things, that they read in both themes, and their bytes."""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ddbench.results.plots.canvas import Size, drawing, inline_svg, panels
from ddbench.results.plots.figures import drawings, looks_of
from ddbench.results.plots.labels import label_ends, shown, spread
from ddbench.results.plots.notes import note_of
from ddbench.results.plots.palette import DARK, LIGHT, looks
from ddbench.results.plots.projection import embed, project
from ddbench.results.plots.series import cost_panels, curve_panels, ipc_panels, plotted_mean
from ddbench.results.statistics import Estimate
from ddbench.types import LabeledImages
from tests.support.invoke import invoke
from tests.support.records import cell
from tests.support.store import make_store


def luminance(colour):
    """Relative luminance, WCAG 2.1."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_hues_stand_out_in_both_themes(theme):
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    for ground in ("page", "raised", "mark"):
        assert contrast(theme["ink"], theme[ground]) > 7
        assert contrast(theme["muted"], theme[ground]) > 4.5
    assert contrast(theme["link"], theme["page"]) > 4.5
    for hue in (name for name in theme if re.fullmatch(r"c\d", name)):
        assert contrast(theme[hue], theme["page"]) > 3, hue
    assert theme.keys() == LIGHT.keys()


def test_a_method_is_told_from_others_by_more_than_its_hue():
    found = looks([f"m{i}" for i in range(12)])
    assert len({look.marker for look in found.values()}) == 12
    assert len({(look.role, str(look.dash)) for look in found.values()}) == 12


def test_the_whole_train_split_takes_no_hue_from_the_methods():
    with_it, without = looks(["full", "a", "b"], ["full"]), looks(["a", "b"])
    assert with_it["full"].role == "ink"
    assert [with_it[m].role for m in "ab"] == [without[m].role for m in "ab"]


@given(st.lists(st.floats(-50, 150), min_size=1, max_size=20), st.floats(0.1, 30))
def test_labels_are_spread_in_their_order_within_the_panel(places, gap):
    found = spread(places, gap, 0, 100)
    ordered = [found[i] for i in sorted(range(len(places)), key=lambda i: places[i])]
    if len(places) > 1:
        room = min(gap, 100 / (len(places) - 1))
        assert all(b - a >= room - 1e-6 for a, b in pairwise(ordered))
        assert min(found) >= -1e-6 and max(found) <= 100 + 1e-6


def test_labels_that_have_room_stay_where_they_are():
    assert spread([10, 90, 50], 5, 0, 100) == pytest.approx([10, 90, 50])
    assert spread([50, 50], 10, 0, 100) == pytest.approx([45, 55])


@dataclass
class Study:
    wanted: dict
    records: list
    made: dict


@pytest.fixture
def study(tmp_path: Path):
    """A study in which `dm` is incomplete at IPC 2."""
    from ddbench.api.sets import facts_of_sets
    from ddbench.api.stores import Stores, wanted

    store = make_store(tmp_path, whole=True, outcome=lambda c: "failed" if c.method == "dm" and c.ipc == 2 else "ok")
    cells = wanted(store)
    records = store.records(cells.values())
    return Study(cells, records, facts_of_sets(Stores.of_store(store, cells), records))


def test_curves_are_the_mean_over_sets_of_the_mean_over_classifiers(study):
    one, two = curve_panels(study.wanted, study.records)
    curve = one.methods["random"]
    last = 0.5 + 0.03 * 6 % 0.2 + 0.01  # mean over seeds 0, 1, 2
    assert curve.epochs == (10, 20, 30)
    assert curve.mean == pytest.approx([last + 0.01 - 0.1, last + 0.01 + 0.05, last + 0.01])
    assert curve.sd == pytest.approx([0.01] * 3)  # sample standard deviation of 0, 0.01, 0.02
    assert (one.place.ipc, two.place.ipc) == (1, 2)
    assert one.whole.keys() == {"full"}
    assert two.left_out == ["dm"] and "dm" not in two.methods


def test_an_incomplete_position_is_left_out_of_every_figure(study):
    from ddbench.results.plots.series import plotted_means

    found = plotted_means(study.wanted, study.records, "last")
    (panel,) = ipc_panels(found)
    assert set(panel.methods["dm"]) == {1} and set(panel.methods["random"]) == {1, 2}
    assert panel.left_out == ["dm at IPC 2"]
    assert "dm" not in cost_panels(study.wanted, study.records, found, study.made)[1].methods


def test_cost_is_by_image_without_the_prior_and_the_judging(study):
    from ddbench.results.plots.series import plotted_means

    panels = cost_panels(study.wanted, study.records, plotted_means(study.wanted, study.records, "last"), study.made)
    assert [panel.methods["random"].seconds for panel in panels] == [(4.0 + 2.0 + len("random")) / n for n in (10, 20)]
    assert {method for method, p in panels[1].methods.items() if p.front} == {"random"}


def test_the_interval_is_students_at_small_n():
    value = plotted_mean(Estimate(mean=0.5, sd=0.03, sets=3, classifiers=2, cells=6, ok=6))
    half = 4.302652729911275 * 0.03 / 3**0.5
    assert (value.low, value.high) == pytest.approx((0.5 - half, 0.5 + half))
    single = plotted_mean(Estimate(mean=0.5, sd=None, sets=1, classifiers=2, cells=2, ok=2))
    assert (single.low, single.high) == (None, None)
    assert (
        plotted_mean(Estimate(mean=None, sd=None, sets=3, classifiers=2, cells=6, ok=5, note="1 missing of 6")) is None
    )


def test_the_plane_is_that_of_the_real_images_and_classes_are_matched_by_name():
    pixels = torch.zeros(40, 1, 4, 4, dtype=torch.uint8)
    pixels[:20, 0, 0, 0] = torch.arange(20, dtype=torch.uint8) * 12
    pixels[20:, 0, 3, 3] = torch.arange(20, dtype=torch.uint8) * 6
    labels = torch.arange(2).repeat_interleave(20)
    real = LabeledImages(pixels, labels, ("a", "b"))
    turned = LabeledImages(pixels[[25, 5]], torch.tensor([0, 1]), ("b", "a"))
    found = project(real, {"same": real, "turned": turned})
    assert found.explained == pytest.approx(1)
    assert found.sets["same"]["a"].mean(0) == pytest.approx(found.centres["a"])
    assert found.sets["turned"]["a"][0] == pytest.approx(found.sets["same"]["a"][5])
    assert found.sets["turned"]["b"][0] == pytest.approx(found.sets["same"]["b"][5])
    again = project(real, {"same": real})
    assert np.array_equal(again.real, found.real)


def test_large_images_are_averaged_down_before_they_are_projected():
    random = torch.Generator().manual_seed(0)
    small = torch.randint(0, 256, (30, 3, 32, 32), generator=random, dtype=torch.uint8)
    large = small.repeat_interleave(3, 2).repeat_interleave(3, 3)
    found = [project(data, {"m": data}) for data in (labeled(small), labeled(large))]
    assert found[0].real == pytest.approx(found[1].real, abs=1e-3)


def test_classes_are_named_only_where_their_names_can_be_read():
    from ddbench.results.plots.projection import _named

    apart = {name: np.array([20.0 * i, 0.0]) for i, name in enumerate("abcd")}
    assert _named(apart, 1.0) == list("abcd")
    assert _named({**apart, "d": np.array([1.0, 1.0])}, 1.0) == list("abc")
    assert _named(dict.fromkeys("abcd", np.zeros(2)), 1.0) == []


def labeled(pixels):
    return LabeledImages(pixels, torch.arange(len(pixels)) % 2, ("a", "b"))


def test_points_stand_at_their_ipc_and_intervals_beside_one_another(study):
    from ddbench.results.plots import draw
    from ddbench.results.plots.series import plotted_means

    (panel,) = ipc_panels(plotted_means(study.wanted, study.records, "last"))
    with drawing():
        _, (axes,) = panels(1, Size())
        draw.ipc(axes, panel, looks_of(study.wanted))
    marked = [line for line in axes.lines if line.get_marker() not in ("", "None")]
    assert axes.get_xscale() == "log"
    assert [list(line.get_xdata()) for line in marked if len(line.get_xdata()) == 2] == [[1, 2], [1, 2]]
    bars = [line for line in axes.lines if len(line.get_xdata()) == 2 and len(set(line.get_xdata())) == 1]
    assert len({line.get_transform().transform((1, 50))[0] for line in bars if line.get_xdata()[0] == 1}) == 3


def test_the_note_says_what_is_averaged_over_how_many_sets_and_where():
    cells = [cell(seed=s, eval_seed=e) for s in range(3) for e in range(2)]
    assert note_of("ipc", [*cells, cell("full", ipc=0)], "last") == (
        "Mean top-1 accuracy over distilled sets, at the last epoch; bars: 95 % t interval over them. n = 3 distilled "
        "sets, 2 classifiers each. Split s/test, protocol p@1."
    )
    assert "± one sample standard deviation" in note_of("curves", cells, "last")
    assert "n = 1 distilled set, 1 classifier each or 3 distilled" in note_of("cost", [*cells, cell("x")], "best")


@pytest.mark.parametrize(("width", "inches"), [("column", 3.25), ("page", 6.875)])
def test_a_figure_for_a_paper_is_as_wide_as_its_column_or_page(study, width, inches):
    from ddbench.results.plots.figures import font_of, together

    with drawing(font_of(width)):
        parts = drawings("curves", study.wanted, study.records, "last", looks_of(study.wanted), {})
        figure = together(parts, 2, "A note that is long enough to need more than a single line of text.", width)
    assert figure.get_size_inches()[0] == pytest.approx(inches)
    assert {text.get_fontsize() for axes in figure.axes for text in axes.texts} == {6.5}
    with drawing(font_of(width)):
        alone = together(parts[:1], 2, "A note.", width)
    assert alone.get_size_inches()[0] == pytest.approx(inches)


def test_t_sne_places_every_image_and_the_same_again():
    random = torch.Generator().manual_seed(0)
    real = labeled(torch.randint(0, 256, (24, 1, 4, 4), generator=random, dtype=torch.uint8))
    found = [embed(real, {"same": real}) for _ in range(2)]
    assert len(found[0].real) == 24 and len(found[0].sets["same"]["a"]) == 12
    assert found[0].explained is None
    assert np.array_equal(found[0].real, found[1].real)


HARMFUL = '<script>alert("$x$")</script>'


def drawn(name, method=HARMFUL):
    look = looks([method, "other"])
    with drawing():
        figure, (axes,) = panels(1, Size())
        axes.plot([0, 1], [0.2, 0.8], color=look[method].colour, gid=look[method].gid)
        axes.set_title(method)
        label_ends(axes, {method: 0.8, "other": 0.2}, look)
        return inline_svg(figure, name, f"title of {method}", "what it shows")


def test_names_in_a_figure_are_text_whatever_they_hold():
    svg = ElementTree.fromstring(drawn("one"))
    assert {e.tag for e in svg.iter()} <= {
        "svg",
        "title",
        "desc",
        "g",
        "path",
        "text",
        "defs",
        "use",
        "clipPath",
        "rect",
    }
    assert HARMFUL in [e.text for e in svg.iter("text")]
    assert shown(HARMFUL) in [e.text for e in svg.iter("text")]


def test_a_figure_for_a_page_has_named_colours_and_ids_of_its_own():
    one, two = drawn("one"), drawn("two")
    ids = [re.findall(r' id="([^"]+)"', svg) for svg in (one, two)]
    assert len(set(ids[0])) == len(ids[0]) and not set(ids[0]) & set(ids[1])
    assert {i.partition("-")[0] for i in ids[0]} == {"one"}
    assert set(re.findall(r'href="#([^"]+)"', one) + re.findall(r"url\(#([^)]+)\)", one)) <= set(ids[0])
    assert "var(--c0)" in one and "var(--muted)" in one
    assert not set(re.findall(r"#[0-9a-f]{6}\b", one)) & set(LIGHT.values())
    assert 'class="m m0"' in one
    assert drawn("one") == one


def test_panels_keep_their_order_and_their_left_out(study):
    looks = looks_of(study.wanted)
    parts = drawings("curves", study.wanted, study.records, "last", looks, {})
    assert [part.title for part in parts] == ["digits, convnet3-w32, IPC 1", "digits, convnet3-w32, IPC 2"]
    assert parts[1].left_out == ("dm",)


@pytest.mark.parametrize(
    ("kind", "suffix"), [("curves", "svg"), ("ipc", "pdf"), ("cost", "png"), ("projection", "svg")]
)
def test_plot_writes_the_same_bytes_again(tmp_path: Path, kind, suffix):
    make_store(tmp_path / "store", ipc=(1, 2) if kind == "ipc" else (1,))
    written = []
    for name in ("one", "two"):
        done = invoke("plot", kind, tmp_path / "store", "--out", tmp_path / f"{name}.{suffix}")
        assert done.returncode == 0, done.stderr
        written.append((tmp_path / f"{name}.{suffix}").read_bytes())
    assert written[0] == written[1] and len(written[0]) > 2000
    if suffix == "png":
        assert Image.open(tmp_path / "one.png").width > 600


def test_plot_draws_what_is_selected_and_says_what_it_leaves_out(tmp_path: Path):
    make_store(tmp_path / "s", outcome=lambda c: "missing" if c.method == "dm" and c.seed == 0 else "ok")
    done = invoke("plot", "curves", tmp_path / "s", "--methods", "dm,random", "--ipc", "1", "--out", tmp_path / "f.svg")
    assert done.returncode == 0
    assert "digits, convnet3-w32, IPC 1: left out, because incomplete: dm" in done.stderr
    assert "rsm_cgs" not in (tmp_path / "f.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["curves", "--out", "f.gif"], "must end in .png, .pdf, .svg"),
        (["curves", "--methods", "randon", "--out", "f.png"], "Did you mean 'random'?"),
        (["curves", "--methods", "dm", "--out", "f.png"], "nothing complete to plot as curves"),
        (["curve", "--out", "f.png"], "curve"),
        (["curves", "--tsne", "--out", "f.png"], "t-SNE is a projection"),
    ],
)
def test_plot_refuses_what_it_cannot_draw(tmp_path: Path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    make_store(tmp_path / "bench-store", outcome=lambda c: "failed" if c.method == "dm" else "ok", ipc=(1,))
    done = invoke("plot", *arguments)
    assert done.returncode == 2
    assert says in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "f.png").exists()


def test_names_beside_a_panel_carry_a_sample_of_their_line(study):
    from ddbench.results.plots import draw
    from ddbench.results.plots.series import plotted_means

    (panel,) = ipc_panels(plotted_means(study.wanted, study.records, "last"))
    look = looks_of(study.wanted)
    with drawing():
        _, (axes,) = panels(1, Size())
        draw.ipc(axes, panel, look)
    samples = [line for line in axes.lines if len(line.get_xdata()) == 3]
    assert [line.get_marker() for line in samples][: len(panel.methods)] == [
        look[name].marker for name in panel.methods
    ]
