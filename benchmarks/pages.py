"""How quickly the pages open: ``python benchmarks/pages.py`` after ``make report``.

Each page is opened from disk several times in a fresh context of the system's Chromium, so that
nothing is cached.  *Read* is when the text can be read (the browser's first contentful paint),
*set* when all math is set.  Writes ``outputs/bench/pages.md``.
"""

import argparse
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

from taugda.atomic import write_atomic
from taugda.record.tables import markdown_table, plain_table
from taugda.runs.project import Project

GOAL = 1.5  # seconds until a page can be read
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def opening(browser: Any, path: Path) -> tuple[float, float]:
    """Return the seconds until a page can be read, and until its math is set."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(path.as_uri(), wait_until="commit")
    page.wait_for_function("document.documentElement.dataset.math === 'done'")
    done = page.evaluate("performance.now()")
    read = page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"
    )
    context.close()
    return read / 1000, done / 1000


def main() -> None:
    """Time every page and write the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--repeat", type=int, default=3, help="times that each page is opened")
    repeat = options.parse_args().repeat
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        sys.exit("no Chromium was found; install chromium")
    from playwright.sync_api import sync_playwright

    project = Project.find()
    pages = [project.index, *sorted(project.pages.glob("*.html"))]
    if not project.index.is_file():
        sys.exit("there are no pages; run make report")
    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        opening(browser, project.index)  # the browser's own start does not count
        for page in pages:
            reads, sets = zip(*(opening(browser, page) for _ in range(repeat)), strict=True)
            read = statistics.median(reads)
            rows.append(
                [
                    page.name,
                    f"{page.stat().st_size / 1000:.0f}",
                    f"{read:.2f}",
                    f"{statistics.median(sets):.2f}",
                    "yes" if read < GOAL else "no",
                ]
            )
        browser.close()
    names = ["page", "kB", "read (s)", "set (s)", f"read within {GOAL} s"]
    print(plain_table(names, rows))
    write_atomic(project.outputs / "bench" / "pages.md", markdown_table(names, rows) + "\n")


if __name__ == "__main__":
    main()
