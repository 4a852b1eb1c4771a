"""The pages as a reader meets them: opened from disk in Chromium, with no network.

They are made as on a fresh clone, from what is published there.
"""

import json
import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_report import dead_links

from taugda.__main__ import main
from taugda.runs.project import Project

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = ROOT / "outputs" / "published"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
UNCHECKED = (
    "no Chromium was found, so it stays unchecked whether the pages open without errors, show "
    "their math and images, fold by keyboard, fit a phone, and pass axe; install chromium"
)
# The browser's own errands would count as requests of the pages.
QUIET = ("background-networking", "component-update", "sync", "gpu")
PHONE, DESK = 390, 1440
PAPER = 672  # A4 within its margins
# TeX as it stands in the sources: between dollar signs, or a command, or an environment.
RAW_TEX = re.compile(
    r"\$[^$\n]+\$|\\(?:frac|mathrm|tau|lambda|begin|end|left|right|gamma)(?![a-z])"
)
LEAST = 10  # pixels of a letter
PAGE_LIMIT, INDEX_LIMIT = 3_000_000, 500_000
FILE_LIMIT = 15_000_000  # the whole site, to be mailed
FAILED = {"reason": f"ValueError: {'long ' * 30}{'$x_1$' * 20}", "finished": "2024-01-02T00:00:00"}


def command(root, *arguments):
    """Give a command as a user does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAUGDA_ROOT", str(root))
        patch.delenv("TAUGDA_OUTPUTS", raising=False)
        assert main([*map(str, arguments)]) == 0


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The pages of a fresh clone in which two runs failed."""
    if not (PUBLISHED / "default").is_dir():
        pytest.fail("outputs/published/default/ is missing; run make publish")
    root = tmp_path_factory.mktemp("clone")
    for name in ("lib/taugda", "notebooks", "parameters", "sweeps", "outputs/published"):
        unmade = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(ROOT / name, root / name, ignore=unmade)
    for name in ("claims.yaml", "figures.yaml"):
        shutil.copyfile(ROOT / name, root / name)
    for run in ("default", f"taus={'+'.join('123456789')}-0123"):
        folder = root / "outputs" / "runs" / "05_torus" / f"{run}.failed"
        folder.mkdir(parents=True)
        (folder / "failed.json").write_text(json.dumps(FAILED))
        (folder / "log.txt").write_text("log")
    command(root, "report")
    return Project(root, root / "outputs")


@pytest.fixture(scope="session")
def browser():
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None and os.environ.get("CI") != "true":
        pytest.skip(UNCHECKED)
    assert path is not None, UNCHECKED
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", *(f"--disable-{errand}" for errand in QUIET)]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=arguments)
        yield chromium
        chromium.close()


# Those of no run, every chapter, and one further run of the notebook that has many.
PAGES = ["index.html", "pages/figures.html", "pages/claims.html"]
RUNS = sorted(path.parent for path in PUBLISHED.glob("default/*/*/done.json"))
PAGES += [f"pages/{run.parent.name}.html" for run in RUNS if run.name == "default"]
PAGES += [f"pages/{run.parent.name}--{run.name}.html" for run in RUNS if run.name != "default"][:1]


@contextmanager
def opened(browser, path):
    """A page opened from disk, with what it asked for and complained of."""
    size = {"width": DESK, "height": 900}
    context = browser.new_context(viewport=size, reduced_motion="reduce")
    page = context.new_page()
    page.errors, page.requests, loud = [], [], ("error", "warning")
    page.on("console", lambda m: m.type in loud and page.errors.append(m.text))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("requestfailed", lambda r: page.errors.append(f"failed: {r.url[:100]}"))
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_function("document.documentElement.dataset.math === 'done'")
    yield page
    context.close()


# The text that a reader sees, code and the words for screen readers left out.
VISIBLE = """() => {
  const copy = document.body.cloneNode(true);
  for (const part of copy.querySelectorAll(
    "script, style, pre, code, .words, mjx-assistive-mml, [hidden]")) part.remove();
  return copy.textContent;
}"""
BROKEN = """async () => {
  const images = [...document.images];
  for (const image of images) image.loading = "eager";  // those further down, too
  await Promise.allSettled(images.map(image => image.decode()));
  return images.filter(image => !(image.complete && image.naturalWidth)).map(image => image.alt);
}"""
# Sizes of what is read as text, in CSS pixels; formulas and pictures apart.
SMALL = """least => [...document.querySelectorAll("body *")].filter(part =>
  [...part.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) &&
  !part.closest("script, style, .words, mjx-container, svg, [hidden]") &&
  parseFloat(getComputedStyle(part).fontSize) < least
).map(part => part.outerHTML.slice(0, 80))"""
# Pictures that reach beyond the text, or are shown larger than they are.
BEYOND = """() => [...document.querySelectorAll("figure img")].filter(picture => {
  const width = picture.getBoundingClientRect().width, text = parseFloat(getComputedStyle(
    document.documentElement).fontSize) * 46;
  return width > text + 1 || width > picture.naturalWidth + 1;
}).map(picture => picture.alt.slice(0, 80))"""
FRAME = "() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))"


def complaints(page):
    """What is wrong with a page at any width."""
    ours = ("file:", "data:", "blob:")
    return {
        "errors": page.errors,
        "remote": [url for url in page.requests if not url.startswith(ours)],
        "tex": RAW_TEX.findall(page.evaluate(VISIBLE)),
        "math": page.locator("mjx-merror, [data-mjx-error]").all(),
        "images": page.evaluate(BROKEN),
    }


def misfits(page, width):
    """What is too wide for a screen, and what axe finds there: rules, and what breaks them."""
    from axe_playwright_python.sync_playwright import Axe

    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(FRAME)  # what follows a new width is done: boxes begin to scroll
    # The glyphs of a formula are hidden from whoever does not see them; they are thousands.
    found = Axe().run(page, {"exclude": [["mjx-container > svg"]]}).response["violations"]
    rules = {v["id"]: [node["html"][:200] for node in v["nodes"][:3]] for v in found}
    needed = page.evaluate("document.documentElement.scrollWidth")
    found = {"width": needed if needed > width else 0, "small": page.evaluate(SMALL, LEAST)}
    found["pictures"] = page.evaluate(BEYOND)
    return rules | {what: faults for what, faults in found.items() if faults}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_clean_and_complete_fits_the_screen_and_passes_axe(site, browser, name):
    with opened(browser, site.outputs / name) as page:
        assert not any(complaints(page).values()), complaints(page)
        assert page.locator("mjx-container").count() > 0 or "--" in name
        assert misfits(page, DESK) == {}
        assert misfits(page, PHONE) == {}


def test_the_checks_would_find_what_they_look_for(browser, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<!DOCTYPE html><html lang='en'><title>x</title><main><h1>Bad</h1>"
        "<p style='color: #bbb'>Pale, with $x^2$ and \\frac12.</p><img src='none.png' alt='gone'>"
        "<img src='data:,'><figure><img width='900' alt='wide'></figure>"
        "<div style='width: 2000px; font-size: 9px'>wide</div>"
        "<mjx-merror></mjx-merror></main>"
        "<script>console.error('no'); fetch('http://127.0.0.1:9/x').catch(() => {});"
        "document.documentElement.dataset.math = 'done'</script>",
        encoding="utf-8",
    )
    with opened(browser, bad) as page:
        assert misfits(page, DESK).keys() >= {
            "color-contrast", "image-alt", "width", "small", "pictures",
        }  # fmt: skip
        found = complaints(page)
        assert all(found.values())
        assert found["tex"] == ["$x^2$", "\\frac"]
        assert "no" in found["errors"]
        assert "gone" in found["images"]
        assert "http://127.0.0.1:9/x" in found["remote"]


def test_on_a_fresh_clone_pages_are_light_and_every_link_leads_somewhere(site):
    assert {f"pages/{path.name}" for path in site.pages.glob("*.html")} >= set(PAGES[1:])
    assert dead_links(site) == []
    for name in PAGES:  # with all pictures that it loads; MathJax is one file for all pages
        path = site.outputs / name
        sources = set(re.findall(r'<img src="(?!data:)([^"]+)"', path.read_text(encoding="utf-8")))
        files = [path, *((path.parent / source).resolve() for source in sources)]
        limit = INDEX_LIMIT if name == "index.html" else PAGE_LIMIT
        assert sum(file.stat().st_size for file in files) < limit, name


def test_the_first_tab_leads_past_the_navigation_and_code_folds_by_keyboard(site, browser):
    with opened(browser, site.outputs / PAGES[3]) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('href')") == "#content"
        fold = page.locator("details.code").first
        code = fold.locator("pre")
        assert not code.is_visible()
        fold.locator("summary").focus()
        page.keyboard.press("Enter")
        assert code.is_visible()
        page.keyboard.press("Space")
        assert not code.is_visible()
        page.locator("[data-fold]").focus()
        page.keyboard.press("Enter")
        folds = page.locator("details.code")
        assert folds.evaluate_all("parts => parts.every(part => part.open)")


@pytest.mark.parametrize("name", ["pages/02_quadratic.html", "pages/05_torus.html"])
def test_a_moving_picture_moves_by_keyboard_rests_until_asked_and_is_a_still(site, browser, name):
    with opened(browser, site.outputs / name) as page:
        (box,) = page.locator(".moving").all()
        image, slider, button = (box.locator(part) for part in ("img", "input", "button"))
        first, said = image.get_attribute("src"), slider.get_attribute("aria-valuetext")
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
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site.outputs / name).as_uri())
    (image,) = page.locator(".moving img").all()
    assert len(image.get_attribute("alt")) > 30
    assert page.locator(".moving :is(button, input)").count() == 0
    context.close()


def test_what_failed_is_listed_a_figure_two_clicks_away_and_a_claims_number_three(site, browser):
    with opened(browser, site.index) as page:
        assert page.locator(".failed li").count() == 2
        assert page.get_by_role("link", name="log of 05_torus/default").is_visible()
        # An error's own words are no mathematics.
        assert page.locator(".failed mjx-container").count() == 0
        page.get_by_role("link", name="The paper’s figures").click()
        page.get_by_role("link", name="Polynomial game: regions of attraction").click()
        page.wait_for_url("**/pages/03_polynomial.html#figure-regions")
        assert page.locator("#figure-regions img").is_visible()
        page.goto(site.index.as_uri())
        page.get_by_role("link", name="Claims", exact=True).click()
        page.locator("nav.bar a[href='#paper-05_torus']").click()
        page.locator("#claim-torus-tau-star-0").get_by_role("link", name="torus").click()
        # The page of claims has a row of that name too: a slow machine must have left it.
        page.wait_for_url("**/05_torus.html*")
        row = page.locator("#claim-torus-tau-star-0")
        row.wait_for(state="visible")
        assert "17/23" in row.inner_text()


def test_the_whole_site_in_one_file_is_read_as_the_site_is(site, browser, tmp_path):
    file = tmp_path / "site.html"
    command(site.root, "report", "--single-file", "-o", file)
    assert file.stat().st_size < FILE_LIMIT
    with opened(browser, file) as page:
        shown = page.locator(".sheet:not([hidden])")
        assert shown.get_attribute("id") == "index"
        page.get_by_role("link", name="Polynomial game: regions of attraction").click()
        page.wait_for_function("document.documentElement.dataset.math === 'done'")
        assert shown.get_attribute("id") == "03_polynomial"
        page.wait_for_function("scrollY > 1000")
        assert page.evaluate("document.activeElement.id") == "03_polynomial"
        assert page.locator("[id='03_polynomial:figure-regions'] img").is_visible()
        shown.locator("a[href='#03_polynomial:mjx-eqn%3A1'], a[href$='mjx-eqn:1']").first.click()
        assert page.locator("[id='03_polynomial:mjx-eqn:1']").is_visible()
        assert not any(complaints(page).values()), complaints(page)
        for width in (DESK, PHONE):
            assert misfits(page, width) == {}
        page.goto(f"{file.as_uri()}#claims:paper-05_torus")
        page.wait_for_function("document.documentElement.dataset.math === 'done'")
        assert shown.get_attribute("id") == "claims"
        assert page.locator("[id='claims:claim-torus-tau-star-0']").is_visible()


def test_on_paper_tables_are_tables_and_headers_keep_their_mathematics(site, browser, tmp_path):
    file, pdf = tmp_path / "torus.html", tmp_path / "torus.pdf"
    command(site.root, "report", "--pdf", "torus", "-o", pdf)
    assert pdf.read_bytes()[:5] == b"%PDF-"
    assert pdf.read_bytes().count(b"/Type /Page\n") > 5
    command(site.root, "report", "--single-file", "torus", "-o", file)
    with opened(browser, file) as page:
        page.emulate_media(media="print")
        page.set_viewport_size({"width": PAPER, "height": 1000})
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("thead mjx-container > svg").count() == 0
        assert page.locator("thead mjx-container > img").count() > 3
        assert page.evaluate(BROKEN) == []
        for table in page.locator("table.claims").all():
            assert table.locator("thead th").first.is_visible()
            assert table.evaluate("t => getComputedStyle(t).display") == "table"
        assert page.evaluate("document.documentElement.scrollWidth") <= PAPER
        for hidden in (".moving .controls", "button", ".contents"):
            assert not any(part.is_visible() for part in page.locator(hidden).all()), hidden


def test_the_first_page_is_two_screens_and_what_is_folded(site, browser):
    with opened(browser, site.index) as page:
        for width, screen in ((DESK, 900), (PHONE, 1100)):
            page.set_viewport_size({"width": width, "height": 900})
            for part in (".notebooks", ".list"):
                assert page.locator(part).bounding_box()["height"] < screen, (part, width)
        assert not page.locator("table.runs").first.is_visible()
        # A claim's cell is one block, beside its label; claims unfold before they are printed.
        page.goto((site.pages / "claims.html").as_uri())
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        cell = page.locator("td[data-label='Where']:has(mjx-container)").first
        left = cell.evaluate(
            "c => c.getBoundingClientRect().left + parseFloat(getComputedStyle(c).paddingLeft)"
        )
        assert cell.is_visible()
        parts = cell.locator("mjx-container, .more").all()
        assert all(part.bounding_box()["x"] >= left - 1 for part in parts)
