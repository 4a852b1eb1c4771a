"""What every finished page must fulfil: no request to anywhere, a text for every picture."""

from html.parser import HTMLParser

_SOURCES = ("src", "srcset", "poster", "data", "background")
_LOADING_LINKS = ("stylesheet", "preload", "prefetch", "icon", "modulepreload", "manifest")
_REMOTE = ("http:", "https:", "//", "ftp:", "ws:", "wss:")


class ReportError(ValueError):
    """A page that cannot be made, or must not be shown."""

    status = 1  # of the command: the request was right


def faults(page: str) -> list[str]:
    """Name each picture without text alternative and what the page would load from the network."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.faults


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "img" and not given.get("alt", "").strip():
            self.faults.append(f"a picture has no text alternative ({given.get('src', '')[:60]})")
        loads = [given[name] for name in _SOURCES if name in given]
        if tag == "link" and any(kind in given.get("rel", "") for kind in _LOADING_LINKS):
            loads.append(given.get("href", ""))
        loads.append(given.get("style", "").partition("url(")[2].strip("'\" "))
        remote = [address for address in loads if address.strip().lower().startswith(_REMOTE)]
        self.faults += [f"<{tag}> would load {address[:80]}" for address in remote]

    def handle_data(self, data: str) -> None:
        in_style = self.cdata_elem == "style"
        if in_style and ("@import" in data or "url(http" in data.replace("'", "")):
            self.faults.append("a style sheet would load another file")
