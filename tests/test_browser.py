"""The pages as a reader meets them: opened from disk in Chromium, with no network.

They are built from what is published, so that a fresh clone is checked as it is.
"""

import os
import re
import shutil
from pathlib import Path

import pytest
from test_report import left_status

from taugda.report import build
from taugda.runs import Project

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = ROOT / "outputs" / "published"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
UNCHECKED = (
    "no Chromium was found, so it stays unchecked whether the pages open without console errors "
    "and requests, show their math and images, fold by keyboard, fit a phone, and pass axe; "
    "install chromium to check it"
)
# The browser's own errands would count as requests of the pages.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE, DESK = 390, 1440
# TeX as it stands in the sources: between dollar signs, or a command, or an environment.
RAW_TEX = re.compile(
    r"\$[^$\n]+\$|\\(?:frac|mathrm|tau|lambda|begin|end|left|right|gamma)(?![a-z])"
)
PAGE_LIMIT = 3_000_000
INDEX_LIMIT = 500_000


def find_browser():
    for name in BROWSERS:
        path = shutil.which(name)
        if path:
            return path
    return None


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The pages of what is published, in a folder of their own."""
    if not (PUBLISHED / "default").is_dir():
        pytest.fail("outputs/published/default/ is missing; run make publish")
    outputs = tmp_path_factory.mktemp("outputs")
    shutil.copytree(PUBLISHED, outputs / "published")
    project = Project(ROOT, outputs)
    build(project)
    return project


@pytest.fixture(scope="module")
def browser():
    path = find_browser()
    if path is None and os.environ.get("CI") != "true":
        pytest.skip(UNCHECKED)
    assert path is not None, UNCHECKED
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


def names_of_pages():
    """Pages to visit: the index, the gallery, every chapter, and one further run a notebook."""
    names = ["index.html", "pages/figures.html"]
    for folder in sorted((PUBLISHED / "default").glob("*/")):
        runs = sorted(path.parent.name for path in folder.glob("*/done.json"))
        if "default" in runs:
            names.append(f"pages/{folder.name}.html")
        others = [f"pages/{folder.name}--{run}.html" for run in runs if run != "default"]
        names += others[:1]
    return names


PAGES = names_of_pages()
every_page = pytest.mark.parametrize("name", PAGES)


class Visit:
    """A page opened from disk, with what it asked for and complained of."""

    def __init__(self, browser, path, width=DESK, height=900):
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce"
        )
        self.page = self.context.new_page()
        self.errors, self.requests = [], []
        self.page.on(
            "console", lambda m: m.type in ("error", "warning") and self.errors.append(m.text)
        )
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("requestfailed", lambda r: self.errors.append(f"failed: {r.url[:100]}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_function("document.documentElement.dataset.math === 'done'")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


@pytest.fixture(scope="module")
def opened(site, browser):
    """Function from a page's name to a visit of it, opened once for all tests that only look."""
    visits = {}

    def visit(name):
        if name not in visits:
            visits[name] = Visit(browser, site.outputs / name)
        return visits[name]

    yield visit
    for one in visits.values():
        one.context.close()


def visible_text(page):
    """The text that a reader sees, code and the words for screen readers left out."""
    return page.evaluate(
        """() => {
          const copy = document.body.cloneNode(true);
          for (const part of copy.querySelectorAll(
            "script, style, pre, code, .words, mjx-assistive-mml")) part.remove();
          return copy.textContent;
        }"""
    )


def remote(visit):
    """Addresses outside the page's own files that it asked for."""
    return [url for url in visit.requests if not url.startswith(("file:", "data:", "blob:"))]


def broken_images(page):
    return page.evaluate(
        "[...document.images].filter(i => !(i.complete && i.naturalWidth)).map(i => i.alt)"
    )


def violations(page):
    """What axe finds: rule, and the first elements that break it."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in found]


@every_page
def test_a_page_opens_clean_and_complete(opened, name):
    visit = opened(name)
    page = visit.page
    assert visit.errors == []
    assert remote(visit) == []
    assert RAW_TEX.findall(visible_text(page)) == []
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    assert page.locator("mjx-container").count() > 0 or "--" in name
    assert broken_images(page) == []


@every_page
@pytest.mark.parametrize("width", [DESK, PHONE])
def test_a_page_fits_the_screen_and_passes_axe(opened, name, width):
    page = opened(name).page
    page.set_viewport_size({"width": width, "height": 900})
    # What follows a new width (boxes that begin to scroll) is done before the next frame.
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_the_table_of_unfinished_runs_fits_the_screen_and_passes_axe(toy, browser, width):
    toy.notebook("01_toy", "run.finish()")
    toy.write("outputs/runs/01_toy/default.failed/log.txt", "log")
    moment = "2024-01-02T00:00:00+00:00"
    left_status(
        toy, "s", "interrupted", moment,
        ("default", "failed", 2, moment, f"ValueError: {'long ' * 30}{'$x_1$' * 20}"),
        ("n=6-x", "running", 1, None, ""), ("n=7-x", "waiting", 0, None, ""),
    )  # fmt: skip
    with Visit(browser, build(toy.project), width) as visit:
        page = visit.page
        assert page.locator("table.runs tbody tr").count() == 3
        assert page.get_by_role("link", name="log of 01_toy/default").is_visible()
        # An error's own words are no mathematics.
        assert page.locator("table.runs mjx-container").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
        assert visit.errors == []


def test_the_checks_would_find_what_they_look_for(browser, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<!DOCTYPE html><html lang='en'><title>x</title><main><h1>Bad</h1>"
        "<p style='color: #bbb'>Pale, with $x^2$ and \\frac12.</p><img src='none.png' alt='gone'>"
        "<img src='data:,'><div style='width: 2000px'>wide</div></main>"
        "<script>console.error('no'); fetch('http://127.0.0.1:9/x').catch(() => {});"
        "document.documentElement.dataset.math = 'done'</script>",
        encoding="utf-8",
    )
    with Visit(browser, bad) as visit:
        page = visit.page
        assert "no" in visit.errors
        assert RAW_TEX.findall(visible_text(page)) == ["$x^2$", "\\frac"]
        assert "gone" in broken_images(page)
        assert page.evaluate("document.documentElement.scrollWidth") > DESK
        assert {rule for rule, _ in violations(page)} >= {"color-contrast", "image-alt"}
        assert any("127.0.0.1:9" in url for url in remote(visit))


@every_page
def test_a_page_is_light(site, name):
    """HTML with all pictures that it loads; MathJax is one file for all pages."""
    path = site.outputs / name
    text = path.read_text(encoding="utf-8")
    sources = set(re.findall(r'<img src="(?!data:)([^"]+)"', text))
    pictures = sum((path.parent / source).resolve().stat().st_size for source in sources)
    weight = path.stat().st_size + pictures
    assert weight < (INDEX_LIMIT if name == "index.html" else PAGE_LIMIT)


def test_code_folds_by_keyboard(site, browser):
    name = next(name for name in PAGES if name.startswith("pages/0"))
    with Visit(browser, site.outputs / name) as visit:
        page = visit.page
        fold = page.locator("details.code").first
        assert not fold.evaluate("part => part.open")
        assert not fold.locator("pre").is_visible()
        fold.locator("summary").focus()
        page.keyboard.press("Enter")
        assert fold.evaluate("part => part.open")
        assert fold.locator("pre").is_visible()
        page.keyboard.press("Space")
        assert not fold.evaluate("part => part.open")
        page.locator("[data-fold]").focus()
        page.keyboard.press("Enter")
        folds = page.locator("details.code")
        assert folds.evaluate_all("parts => parts.every(part => part.open)")


def test_the_first_tab_leads_past_the_navigation(site, browser):
    name = next(name for name in PAGES if name.startswith("pages/0"))
    with Visit(browser, site.outputs / name) as visit:
        visit.page.keyboard.press("Tab")
        assert visit.page.evaluate("document.activeElement.getAttribute('href')") == "#content"


MOVING = ["pages/02_quadratic.html", "pages/05_torus.html"]


@pytest.mark.parametrize("name", MOVING)
def test_a_moving_picture_moves_by_keyboard_and_rests_until_asked(site, browser, name):
    with Visit(browser, site.outputs / name) as visit:
        page = visit.page
        box = page.locator(".moving")
        assert box.count() == 1
        image, slider, button = (box.locator(part) for part in ("img", "input", "button"))
        first = image.get_attribute("src")
        said = slider.get_attribute("aria-valuetext")
        page.wait_for_timeout(400)
        assert image.get_attribute("src") == first
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert image.get_attribute("src") != first
        assert slider.get_attribute("aria-valuetext") != said
        assert "τ = " in slider.get_attribute("aria-valuetext")
        assert box.locator("output").inner_text() == slider.get_attribute("aria-valuetext")
        page.keyboard.press("End")
        last = image.get_attribute("src")
        button.focus()
        page.keyboard.press("Enter")
        assert button.inner_text() == "Pause"
        assert image.get_attribute("src") != last
        at = int(slider.input_value())
        page.wait_for_function(f"+document.querySelector('.moving input').value > {at}")
        page.keyboard.press("Enter")
        assert button.inner_text() == "Play"
        assert image.evaluate("i => i.complete && i.naturalWidth > 0")


@pytest.mark.parametrize("name", MOVING)
def test_without_scripts_a_moving_picture_is_a_still(site, browser, name):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site.outputs / name).as_uri())
    box = page.locator(".moving")
    assert box.locator("img").count() == 1
    assert len(box.locator("img").get_attribute("alt")) > 30
    assert box.locator("button, input").count() == 0
    context.close()


def test_a_figure_of_the_paper_is_two_clicks_away(site, browser):
    with Visit(browser, site.index) as visit:
        page = visit.page
        page.get_by_role("link", name="The paper’s figures").click()
        page.get_by_role("link", name="Polynomial game: regions of attraction").click()
        assert page.url.endswith("pages/03_polynomial.html#figure-regions")
        assert page.locator("#figure-regions img").is_visible()


def test_a_claim_is_three_clicks_from_its_number(site, browser):
    with Visit(browser, site.index) as visit:
        page = visit.page
        page.get_by_role("link", name="Claims", exact=True).click()
        page.locator("nav.bar a[href='#claims-05_torus']").click()
        page.locator("#claim-torus-tau-star-0 a").click()
        # The first page has a row of that name too: a slow machine must have left it.
        page.wait_for_url("**/05_torus.html*")
        row = page.locator("#claim-torus-tau-star-0")
        row.wait_for(state="visible")
        assert "17/23" in row.inner_text()
