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
    pageReady: () => MathJax.startup.defaultPageReady().then(() => {
      wrapDisplays();
      nameHeaders();
      markScrollers();
      document.documentElement.dataset.math = "done";
    }),
  },
};

// A tagged equation has a least width; on a phone it scrolls in a box of its own.
function wrapDisplays() {
  for (const math of document.querySelectorAll("mjx-container[display]")) {
    const box = document.createElement("div");
    box.className = "math";
    math.replaceWith(box);
    box.append(math);
  }
}

// A header cell that is nothing but a formula has no text that every screen reader finds.
function nameHeaders() {
  for (const head of document.querySelectorAll("th:has(mjx-container)")) {
    const words = document.createElement("span");
    words.className = "words";
    for (const math of head.querySelectorAll("mjx-container")) {
      words.textContent += ` ${math.querySelector("math")?.textContent ?? ""}`;
      math.setAttribute("aria-hidden", "true");
    }
    head.append(words);
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
  addEventListener("hashchange", unfoldTarget);
  markScrollers();
  addEventListener("resize", markScrollers);
  // Tables grow when their formulas are set and when fonts arrive.
  const watch = new ResizeObserver(markScrollers);
  for (const part of document.querySelectorAll(".scroll, .scroll > *")) watch.observe(part);
  const folds = [...document.querySelectorAll("details.code")];
  const button = document.querySelector("[data-fold]");
  for (const fold of folds) fold.addEventListener("toggle", markScrollers);
  if (!button || !folds.length) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    const open = folds.some((fold) => !fold.open);
    for (const fold of folds) fold.open = open;
    button.textContent = open ? "Hide all code" : "Show all code";
  });
});
