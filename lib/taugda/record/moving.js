// The controls are made by the script: where it does not run there are none, and the still stays.
(() => {
  const set = SETTINGS;
  // JupyterLab may hold an output twice, once hidden; each copy gets controls of its own.
  for (const box of document.querySelectorAll(`[id="${set.id}"]`)) {
    if (!box.moves) equip(box);
    box.moves = true;
  }
  function equip(box) {
    box.querySelector(".controls")?.remove();
    const image = box.querySelector("img");
    const make = (tag, values) => Object.assign(document.createElement(tag), values);
    const controls = make("div", { className: "controls" });
    const button = make("button", { type: "button" });
    const slider = make("input", { type: "range", min: 0, max: set.frames.length - 1, step: 1 });
    const words = make("output", { ariaLive: "off" }); // the slider says it already
    Object.assign(slider, { value: set.at, ariaLabel: "Frame of the moving picture" });
    // In JupyterLab the arrows would leave the cell.
    for (const part of [slider, button]) part.dataset.lmSuppressShortcuts = "true";
    controls.append(button, slider, words);
    box.append(controls);
    let timer, untouched = true;
    const show = () => {
      image.src = set.frames[slider.value];
      words.textContent = set.labels[slider.value];
      slider.ariaValueText = set.labels[slider.value];
    };
    const stop = () => {
      timer = clearInterval(timer);
      button.textContent = "Play";
    };
    const step = () => {
      if (!box.isConnected || +slider.value >= set.frames.length - 1) return stop();
      slider.value = +slider.value + 1;
      show();
    };
    const play = () => {
      if (untouched || +slider.value >= set.frames.length - 1) slider.value = 0;
      untouched = false;
      show();
      timer = setInterval(step, 220); // milliseconds a frame
      button.textContent = "Pause";
    };
    button.addEventListener("click", () => (timer ? stop() : play()));
    slider.addEventListener("input", () => { untouched = false; stop(); show(); });
    stop();
    show();
  }
})();
