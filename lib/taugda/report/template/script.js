// Math is set by the copy of MathJax beside the pages; nothing is fetched from elsewhere.
window.MathJax = {
  tex: {
    inlineMath: [["$", "$"], ["\\(", "\\)"]],
    displayMath: [["$$", "$$"], ["\\[", "\\]"]],
    processEscapes: true,
    processEnvironments: true,
    tags: "ams",
  },
  svg: { fontCache: "global" },
  options: { enableMenu: false },
  startup: {
    pageReady: () => {
      if (document.querySelector(".sheet:not([data-whole])")) return showSheet();
      return MathJax.startup.defaultPageReady().then(finish);
    },
  },
};

// What follows when mathematics was set.
function finish() {
  wrapDisplays();
  nameHeaders();
  nameEquations();
  if (document.querySelector("[data-whole]")) preparePrint();
  markScrollers();
  document.documentElement.dataset.math = "done";
}

// Of the pages in a file one is shown at a time, and its mathematics set when it is.
function showSheet() {
  const sheets = [...document.querySelectorAll(".sheet")];
  const name = decodeURIComponent(location.hash.slice(1));
  const shown = sheets.find((s) => name === s.id || name.startsWith(`${s.id}:`)) ?? sheets[0];
  for (const sheet of sheets) sheet.hidden = sheet !== shown;
  document.title = shown.dataset.title;
  delete document.documentElement.dataset.math;
  const fresh = [...document.querySelectorAll(".listed"), ...(shown.dataset.set ? [] : [shown])];
  shown.dataset.set = "done";
  return MathJax.typesetPromise(fresh).then(finish).then(() => {
    unfoldTarget();
    (document.getElementById(name) ?? document.body).scrollIntoView();
    // The link that led here may be hidden now: whoever goes on by keyboard begins at the top.
    if (document.activeElement.closest(".sheet[hidden]") || document.activeElement === document.body) {
      shown.focus({ preventScroll: true });
    }
  });
}

// Sheets may have equations of one number; links name the sheet, too.
function nameEquations() {
  for (const label of document.querySelectorAll('.sheet [id^="mjx-eqn:"]')) {
    label.id = `${label.closest(".sheet").id}:${label.id}`;
  }
}

// A tagged equation has a least width; on a phone it scrolls in a box of its own.
function wrapDisplays() {
  for (const math of document.querySelectorAll("mjx-container[display]")) {
    if (math.parentElement.matches(".math")) continue;
    const box = document.createElement("div");
    box.className = "math";
    math.replaceWith(box);
    box.append(math);
  }
}

// A header cell that is nothing but a formula has no text that every screen reader finds.
function nameHeaders() {
  for (const head of document.querySelectorAll("th:has(mjx-container):not(:has(.words))")) {
    const words = document.createElement("span");
    words.className = "words";
    for (const math of head.querySelectorAll("mjx-container")) {
      words.textContent += ` ${math.querySelector("math")?.textContent ?? ""}`;
      math.setAttribute("aria-hidden", "true");
    }
    head.append(words);
  }
}

// On paper nothing unfolds.
function preparePrint() {
  for (const fold of document.querySelectorAll(".group:has(.claims)")) fold.open = true;
  drawHeaders();
}

// Chromium forgets the formulas of a header that it repeats on the next page, but no pictures.
function drawHeaders() {
  for (const math of document.querySelectorAll("thead mjx-container > svg")) {
    const copy = math.cloneNode(true), image = new Image();
    for (const use of copy.querySelectorAll("use")) {
      const name = use.getAttribute("xlink:href") ?? use.getAttribute("href");
      const glyph = document.getElementById(name.slice(1)).cloneNode();
      use.replaceWith(glyph);
    }
    image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
    const { verticalAlign } = math.style;
    const [width, height] = ["width", "height"].map((side) => math.getAttribute(side));
    Object.assign(image.style, { width, height, verticalAlign });
    Object.assign(image, { alt: math.parentElement.querySelector("math")?.textContent ?? "" });
    math.replaceWith(image);
  }
}

// What scrolls sideways must be reachable by keyboard.
function markScrollers() {
  for (const math of document.querySelectorAll("mjx-container:not([display], [aria-hidden])")) {
    const room = math.closest("p, li, td, th, div, figcaption, caption")?.clientWidth;
    math.classList.toggle("wide", math.firstElementChild.getBoundingClientRect().width > room);
  }
  for (const box of document.querySelectorAll(".scroll, .math, pre, mjx-container.wide")) {
    if (box.matches(".wide") || box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

// A link to what is folded away unfolds it.
function unfoldTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let part = target; part; part = part.parentElement) {
    if (part.tagName === "DETAILS") part.open = true;
  }
}

document.addEventListener("DOMContentLoaded", () => {
  unfoldTarget();
  const paged = document.querySelector(".sheet:not([data-whole])");
  addEventListener("hashchange", paged ? showSheet : unfoldTarget);
  markScrollers();
  addEventListener("resize", markScrollers);
  addEventListener("beforeprint", preparePrint);
  // Tables grow when their formulas are set and when fonts arrive.
  const watch = new ResizeObserver(markScrollers);
  for (const part of document.querySelectorAll(".scroll, .scroll > *")) watch.observe(part);
  for (const fold of document.querySelectorAll("details")) {
    fold.addEventListener("toggle", markScrollers);
  }
  for (const button of document.querySelectorAll("[data-fold]")) {
    const page = button.closest(".sheet") ?? document;
    const folds = [...page.querySelectorAll(`details.${button.dataset.fold}`)];
    button.hidden = !folds.length;
    button.addEventListener("click", () => {
      const open = folds.some((fold) => !fold.open);
      for (const fold of folds) fold.open = open;
      button.textContent = button.textContent.replace(/^\S+/, open ? "Hide" : "Show");
    });
  }
});
