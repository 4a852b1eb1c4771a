"""Pages that leave the machine: one file that works alone, the same printed, or the site packed."""

import base64
import io
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from bs4 import BeautifulSoup, Tag
from markupsafe import Markup
from PIL import Image

from taugda.atomic import write_atomic
from taugda.report import pages
from taugda.report.build import assets, build, find_mathjax
from taugda.report.check import ReportError, faults
from taugda.report.entries import Entry, find_entries
from taugda.runs.project import Project, ProjectError, bare_name, nearest

_BROWSERS = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)  # fmt: skip
_QUIET = ("gpu", "background-networking", "component-update", "sync", "extensions")
_QUALITY = 82  # of pictures that are lighter when compressed as photographs are
_PATIENCE = 600  # seconds; setting the mathematics of the whole site takes most of a minute


def export(project: Project, form: str, names: Sequence[str], target: Path) -> None:
    """Write the pages of some runs, or the whole site, to a file; `outputs/` stays as it is.

    The form is ``single-file`` (a page that needs nothing else), ``pdf`` (the same, printed by the
    system's Chromium) or ``zip`` (the whole site with the files that its pages lead to).
    """
    make, suffix = _FORMS[form]
    if target.suffix.lower() != suffix or target.is_dir():
        raise ProjectError(f"-o must name a file that ends with {suffix}, found {str(target)!r}")
    if target.resolve().is_relative_to(project.outputs.resolve()):
        raise ProjectError(
            f"-o must name a file outside of {project.display(project.outputs)}, which holds what "
            f"runs left, found {str(target)!r}"
        )
    if not target.resolve().parent.is_dir():
        raise ProjectError(f"-o: there is no folder {str(target.parent)!r}")
    if form == "zip" and names:
        raise ProjectError("--zip packs the whole site and takes no RUN")
    with tempfile.TemporaryDirectory(prefix="taugda-") as folder:
        home = Path(folder).resolve() / target.stem
        entries = find_runs(find_entries(project, home), names)
        build(project, home, entries)
        write_atomic(target, make(project, home, entries))


def _single_file(project: Project, home: Path, entries: Sequence[Entry]) -> bytes:
    return _one_page(home, entries, _light).encode()


def _pdf(project: Project, home: Path, entries: Sequence[Entry]) -> bytes:
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        raise ReportError(
            "no Chromium was found to print with; install chromium or Google Chrome (on Debian: "
            "apt install chromium), or make a page with --single-file and print it in a browser"
        )
    page, pdf = home / "print.html", home / "print.pdf"
    # Pictures are printed as they were stored.
    page.write_text(_one_page(home, entries, Path.as_uri, whole=True), encoding="utf-8")
    command = [
        browser, "--headless", *(f"--disable-{errand}" for errand in _QUIET),
        # Chromium has no sandbox for root.
        *["--no-sandbox"] * (os.geteuid() == 0),
        f"--user-data-dir={home / 'browser'}", "--no-pdf-header-footer",
        "--generate-pdf-document-outline", "--virtual-time-budget=60000",
        f"--print-to-pdf={pdf}", page.as_uri(),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    if not pdf.is_file():
        raise ReportError(f"{browser} printed nothing: {said}")
    return pdf.read_bytes()


def _zip(project: Project, home: Path, entries: Sequence[Entry]) -> bytes:
    for page in [home / "index.html", *(home / "pages").glob("*.html")]:
        text = page.read_text(encoding="utf-8")
        address = r'(?<= href=")[^":#]+|(?<= src=")[^":#]+|(?<= srcset=")[^":#]+'
        text = re.sub(address, partial(_take, project, home, page), text)
        page.write_text(text, encoding="utf-8")
    made = shutil.make_archive(str(home), "zip", home.parent, home.name)
    return Path(made).read_bytes()


_FORMS = {"single-file": (_single_file, ".html"), "pdf": (_pdf, ".pdf"), "zip": (_zip, ".zip")}


def _take(project: Project, home: Path, page: Path, found: re.Match[str]) -> str:
    """Copy a file that a page leads to into the site; return its address there."""
    path = (page.parent / unquote(found[0])).resolve()
    base = next((b for b in (project.outputs, project.root) if path.is_relative_to(b)), None)
    if base is None or not path.is_file():
        return found[0]
    copy = home / "files" / path.relative_to(base)
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, copy)
    return quote(Path(os.path.relpath(copy, page.parent)).as_posix())


def find_runs(entries: Sequence[Entry], names: Sequence[str]) -> list[Entry]:
    """Find runs by their notebook (its default run), ``notebook/run``, a pattern, or a folder."""
    known: dict[str, Entry] = {}
    for one in entries:
        for stem in (one.stem, bare_name(one.stem)):
            known |= {f"{stem}/{one.name}": one} | ({stem: one} if one.is_chapter else {})
    found: dict[str, Entry] = {}
    for name in names:
        path = Path(name)
        wanted = path.stem if path.suffix == ".ipynb" else "/".join(path.parts[-2:])
        mine = {one.page: one for label, one in known.items() if fnmatchcase(label, wanted)}
        if not mine and path.name in known:  # the folder of a notebook's runs
            mine = {known[path.name].page: known[path.name]}
        if not mine:
            labels = ", ".join(bare_name(one.stem) for one in entries if one.is_chapter) or "none"
            raise ProjectError(
                f"unknown run {name!r}{nearest(wanted, known)} (runs: {labels}, or NOTEBOOK/RUN)"
            )
        found |= mine
    return [one for one in entries if one.page in found]


def _light(path: Path) -> str:
    """Put a picture into an address, in the lighter of two ways: losslessly, or as a photograph."""
    ways = []
    with Image.open(path) as picture:
        for options in [{"lossless": True}, {"quality": _QUALITY}]:
            file = io.BytesIO()
            picture.convert("RGB").save(file, format="webp", method=4, **options)
            ways.append(file.getvalue())
    return f"data:image/webp;base64,{base64.b64encode(min(ways, key=len)).decode()}"


def _one_page(
    home: Path, entries: Sequence[Entry], picture: Callable[[Path], str], whole: bool = False
) -> str:
    """Join pages as sheets of one, of which a browser shows one at a time, or the `whole`."""
    files = [home / "pages" / entry.page for entry in entries]
    if not files:
        files = [home / "index.html", *sorted((home / "pages").glob("*.html"))]
    soups = [BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser") for file in files]
    keys = {file.resolve(): file.stem for file in files}
    sheets = [_sheet(soup, file, keys, picture) for soup, file in zip(soups, files, strict=True)]
    text = pages.render(
        "sheets.html.j2", **assets(find_mathjax()), sheets=sheets, whole=whole,
        title=sheets[0]["title"], listed=len(entries) > 1,
    )  # fmt: skip
    if found := faults(text):
        raise ReportError(f"the file: {found[0]}")
    return text


def _sheet(
    soup: BeautifulSoup, file: Path, keys: dict[Path, str], picture: Callable[[Path], str]
) -> dict[str, Any]:
    """Take the body of a page: names and links become unique, files are put in."""
    key = file.stem
    for part in soup.select("p.files"):
        part.decompose()  # the files stay behind
    for part in soup.body.select("[id]"):
        part["id"] = f"{key}:{part['id']}"
    for part in soup.body.select("[aria-labelledby]"):
        part["aria-labelledby"] = f"{key}:{part['aria-labelledby']}"
    for part in soup.body.select(".moving script"):
        part.string = part.string.replace('"id": "', f'"id": "{key}:', 1)
    for image in soup.body.select("img[src], source[srcset]"):
        name = "src" if image.name == "img" else "srcset"
        if not image[name].startswith("data:"):
            image[name] = picture(file.parent / unquote(image[name]))
    for link in soup.body.select("a[href]"):
        _relink(link, file, keys)
    return {
        "key": key, "title": soup.title.get_text(),
        "heading": soup.h1.get_text() if soup.h1 else key,
        "body": Markup(soup.body.decode_contents()),
    }  # fmt: skip


def _relink(link: Tag, file: Path, keys: dict[Path, str]) -> None:
    """Lead to another sheet; what is not in the file is no link, and no way to go on."""
    address, _, anchor = link["href"].partition("#")
    if re.match(r"[a-z]+:", address):
        return
    key = keys.get((file.parent / unquote(address)).resolve() if address else file.resolve())
    if key:
        link["href"] = f"#{quote(key)}:{anchor}" if anchor else f"#{quote(key)}"
    elif link.find_parent(["nav", "footer"]):
        link.decompose()
    else:
        link.unwrap()
