"""The report in a browser: it sorts, filters, leads to records, fits a phone, prints, and lets nothing in or out."""

import base64

import pytest

from tests.browser.conftest import HARMFUL, QUOTED

pytestmark = pytest.mark.slow


def column(browser, table, index):
    """Texts of a column of a table's visible rows."""
    return browser.run(
        "return [...document.querySelectorAll('table.sortable')[arguments[0]].tBodies[0].rows]"
        ".filter(row => row.offsetParent).map(row => row.cells[arguments[1]].textContent.trim())",
        table,
        index,
    )


def head(browser, table, text):
    heads = browser.every("table.sortable")[table].find_elements("css selector", "thead th")
    return next((i, th) for i, th in enumerate(heads) if th.text.strip() == text)


def press(browser, element):
    browser.run("arguments[0].click()", element)


def test_it_opens_without_a_complaint_or_a_request(browser, page):
    browser.open(page)
    assert browser.requests() == [page.as_uri()]
    assert browser.reported() == []
    assert browser.run("return document.querySelectorAll('img').length") > 50
    assert browser.run("return [...document.images].every(image => image.complete && image.naturalWidth > 0)")


def test_names_do_nothing(browser, page):
    browser.open(page)
    assert HARMFUL in [label.text.split("\n")[-1] for label in browser.every("#methods label")]
    assert QUOTED in [th.text for th in browser.every("table.images thead th")]
    assert browser.run("return document.scripts.length") == 2
    for article in browser.run("return [...document.querySelectorAll('article')].map(a => '#' + a.id)"):
        browser.run("location.hash = arguments[0]", article)
    assert browser.reported() == [] and browser.requests() == [page.as_uri()]


def test_its_policy_stops_what_would_get_in(browser, page, tmp_path):
    attacked = tmp_path / "attacked.html"
    text = page.read_text()
    intruder = '<script>window.inside = 1</script><img src="http://127.0.0.1:9/x.png"></main>'
    attacked.write_text(text.replace("</main>", intruder))
    browser.open(attacked)
    assert browser.run("return window.inside") is None
    assert len([line for line in browser.reported() if "Content Security Policy" in line]) == 2


def test_a_click_on_a_heading_sorts_and_another_turns_round(browser, page):
    browser.open(page)
    original = column(browser, 1, 0)
    index, th = head(browser, 1, "Top-1")
    press(browser, th.find_element("css selector", "button"))
    assert th.get_attribute("aria-sort") == "descending"
    down = column(browser, 1, index)
    numbers = [float(text.split()[0]) for text in down if not text.startswith("(")]
    assert numbers == sorted(numbers, reverse=True) and down[-1].startswith("(1 failed")
    press(browser, th.find_element("css selector", "button"))
    assert th.get_attribute("aria-sort") == "ascending"
    up = column(browser, 1, index)
    assert [float(text.split()[0]) for text in up[:-1]] == sorted(numbers) and up[-1].startswith("(1 failed")
    press(browser, th.find_element("css selector", "button"))
    assert th.get_attribute("aria-sort") is None and column(browser, 1, 0) == original


def test_sorting_works_from_the_keyboard(browser, page):
    browser.open(page)
    _, th = head(browser, 1, "Method")
    th.find_element("css selector", "button").send_keys("\n")
    assert th.get_attribute("aria-sort") == "ascending"


def test_a_filter_keeps_the_rows_with_all_of_its_words(browser, page):
    browser.open(page)
    everything = len(column(browser, 1, 0))
    box = browser.every(".tools input")[1]
    box.send_keys("RSM convnet3")
    assert column(browser, 1, 0) and all("rsm_cgs" in text for text in column(browser, 1, 0))
    assert browser.every(".tools output")[1].text == f"2 of {everything} rows"
    box.clear()
    box.send_keys(" ")
    assert len(column(browser, 1, 0)) == everything


def test_a_method_can_be_taken_out_everywhere(browser, page):
    browser.open(page)
    visible = "return [...document.querySelectorAll('.m1')].filter(e => e.getClientRects().length).length"
    assert browser.run("return document.querySelectorAll('#methods input')[1].value") == "m1"
    assert browser.run(visible) > 20
    press(browser, browser.every("#methods input")[1])
    assert browser.run(visible) == 0
    press(browser, browser.every("#methods input")[1])
    assert browser.run(visible) > 20


def test_a_number_leads_to_its_records_and_back(browser, page):
    browser.open(page)
    browser.run("scrollTo(0, 200)")
    link = browser.find("table.main td a")
    press(browser, link)
    assert browser.find("#detail").is_displayed()
    assert "random" in browser.find("#detail-title").text
    press(browser, browser.find("#detail a.key"))
    facts = browser.find("#detail dl").text
    for text in ("distilled set 0, classifier 0", "c0ffee", "torch 2.14.1", "cpu-small@1", "prior 100"):
        assert text in facts
    browser.run("document.querySelectorAll('#detail details').forEach(d => { d.open = true; })")
    assert "m:random" in browser.find("#detail .body").text
    assert browser.run("return scrollY") == 200
    browser.driver.back()
    assert browser.every("#detail a.key")
    press(browser, browser.find("#detail .head button"))
    assert not browser.find("#detail").is_displayed() and browser.run("return location.hash") == ""


def test_an_address_names_a_record(browser, page):
    browser.open(page)
    key = browser.run("return document.querySelector('a.key').hash")
    browser.open(page, fragment=key)
    assert browser.find("#detail").is_displayed() and key[3:] in browser.find("#detail dl").text
    browser.open(page, fragment="#r-__proto__")
    assert not browser.find("#detail").is_displayed() and browser.reported() == []


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_nothing_is_wider_than_a_phone(browser, page, scripts):
    browser.open(page, width=375, scripts=scripts)
    assert browser.run("return document.documentElement.scrollWidth") == 375
    wide = browser.run(
        "return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > 376"
        " && !e.closest('.scroll, pre, nav ul, svg') && getComputedStyle(e).position !== 'absolute')"
        ".map(e => e.tagName + e.className)"
    )
    assert wide == []


def test_a_dialog_fits_a_phone(browser, page):
    browser.open(page, width=375)
    press(browser, browser.find("table.main td a"))
    press(browser, browser.find("#detail a.key"))
    assert browser.run("const d = document.getElementById('detail'); return d.scrollWidth <= d.clientWidth")
    assert browser.run("return document.getElementById('detail').getBoundingClientRect().right <= 375")


GROUND = "return getComputedStyle(document.body).backgroundColor"
HUE = "return getComputedStyle(document.querySelector('figure .m1 text')).fill"


def test_the_theme_is_the_systems_until_it_is_chosen(browser, page):
    browser.open(page)
    light, light_hue = browser.run(GROUND), browser.run(HUE)
    browser.open(page, dark=True)
    dark, dark_hue = browser.run(GROUND), browser.run(HUE)
    assert light != dark and light_hue != dark_hue
    assert browser.find("#theme").text == "Light"
    press(browser, browser.find("#theme"))
    assert (browser.run(GROUND), browser.run(HUE)) == (light, light_hue)
    assert browser.find("#theme").text == "Dark"
    press(browser, browser.find("#theme"))
    assert browser.run(GROUND) == dark
    browser.run("localStorage.clear()")


def test_it_reads_without_scripts(browser, page):
    browser.open(page, scripts=False)
    shown = browser.find("main").text
    assert "rsm_cgs" in shown and "95 % interval" in shown and "Started (UTC)" in shown
    assert not [e for e in browser.every(".needs-script, #detail") if e.is_displayed()]
    link = browser.find("table.main td a")
    target = link.get_attribute("href").rpartition("#")[2]
    browser.open(page, scripts=False, fragment=f"#{target}")
    top = browser.run("return document.getElementById(arguments[0]).getBoundingClientRect().top", target)
    assert 0 <= top < 900
    summary = browser.every("article summary")[0]
    summary.click()
    assert browser.find("article pre").is_displayed()


def test_it_prints_on_paper_in_light_colours(browser, page):
    browser.open(page, dark=True, medium="print")
    assert browser.run("return getComputedStyle(document.body).getPropertyValue('--page')").strip() == "#fdfdfc"
    assert not [e for e in browser.every("nav, .tools, #methods, #theme") if e.is_displayed()]
    assert browser.find("#p0").is_displayed()
    pdf = base64.b64decode(browser.command("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert pdf.startswith(b"%PDF") and len(pdf) > 50_000
