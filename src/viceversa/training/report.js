"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; text goes in as text, never as HTML. */
function make(name, attributes = {}, ...children) {
  const svg = ["svg", "path", "line", "text", "circle", "rect", "g"].includes(name);
  const element = svg ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// What the reader has set survives the renewal of the page, in this tab only.
const KEY = "viceversa report " + location.pathname;
const state = { images: null, zoom: "window", smoothing: 0.8, logarithmic: false, hidden: {}, range: null, open: {} };
try {
  Object.assign(state, JSON.parse(sessionStorage.getItem(KEY)) || {});
} catch { /* a page without storage starts afresh */ }
function keep() {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(state));
  } catch { /* as above */ }
}

/* Samples */

/** A tall sheet is cut between rows into parts that stand side by side, so that it fits a screen. */
function sheet(sample) {
  const rows = Math.max(1, Math.round(sample.height / (sample.width / data.columns.length)));
  const parts = Math.min(rows, Math.max(1, Math.round(Math.sqrt(sample.height / sample.width))));
  const perPart = Math.ceil(rows / parts);
  const box = make("div", { class: "sheet" });
  for (let first = 0; first < rows; first += perPart) {
    const share = Math.min(perPart, rows - first) / rows;
    const image = make("img", { alt: `Sample sheet after ${whole.format(sample.images)} images: ${data.columns.join(", ")}` });
    if (first) image.alt = "";
    const view = make("div", { class: "window" }, image);
    view.style.aspectRatio = `${sample.width} / ${sample.height * share}`;
    // Percent of a margin are of the width: the picture is moved up by the rows that other parts show.
    image.style.marginTop = `${(-100 * first * sample.height) / (rows * sample.width)}%`;
    image.src = sample.uri;
    const titles = make("div", { class: "titles" }, ...data.columns.map((title) => make("span", {}, title)));
    box.append(make("div", { class: "part" }, titles, view));
  }
  box.dataset.aspect = (sample.width * box.children.length) / ((sample.height * perPart) / rows);
  box.dataset.width = sample.width * box.children.length;
  return box;
}

function captioned(figure, caption, sample) {
  figure.replaceChildren(make("figcaption", {}, caption), sheet(sample));
}

function startSamples() {
  const samples = data.samples;
  if (!samples.length) return;
  const [figure, slider, seen, play, zoom] = ["current", "time", "seen", "play", "zoom"].map(byId);
  const end = samples.length - 1;
  let timer = null;

  const resize = () => {
    const box = figure.querySelector(".sheet");
    const fits = { window: `min(100%, ${85 * box.dataset.aspect}vh)`, width: "100%" };
    figure.style.width = fits[zoom.value] || "auto";
    box.style.width = fits[zoom.value] ? "100%" : `${zoom.value * box.dataset.width}px`;
  };
  const show = (index) => {
    const sample = samples[index];
    const same = figure.firstChild && sample.width === samples[figure.dataset.index].width
      && sample.height === samples[figure.dataset.index].height;
    // The same elements with another picture in them do not flicker.
    if (same) for (const image of figure.querySelectorAll("img")) image.src = sample.uri;
    else figure.replaceChildren(sheet(sample));
    figure.querySelector("img").alt = `Sample sheet after ${whole.format(sample.images)} images: ${data.columns.join(", ")}`;
    figure.dataset.index = index;
    slider.value = index;
    seen.textContent = `${whole.format(sample.images)} images`;
    slider.setAttribute("aria-valuetext", seen.textContent);
    resize();
  };
  const choose = (index) => {
    show(index);
    // At the end, the reader wants to see the newest sample after a renewal too.
    state.images = index === end ? null : samples[index].images;
    keep();
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  };
  play.addEventListener("click", () => {
    if (timer) return stop();
    if (Number(slider.value) === end) choose(0);
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    timer = setInterval(() => {
      choose(Math.min(end, Number(slider.value) + 1));
      if (Number(slider.value) === end) stop();
    }, 300);
  });
  slider.max = end;
  slider.addEventListener("input", () => {
    stop();
    choose(Number(slider.value));
  });
  zoom.value = state.zoom;
  zoom.addEventListener("change", () => {
    state.zoom = zoom.value;
    keep();
    resize();
  });
  // The choice of samples may have been thinned since: take the one nearest to what was looked at.
  let start = end;
  if (state.images !== null) {
    const away = samples.map((sample) => Math.abs(sample.images - state.images));
    start = away.indexOf(Math.min(...away));
  }
  show(start);
  slider.disabled = play.disabled = end === 0;
  byId("first").parentNode.hidden = end === 0;
  captioned(byId("first"), `First: ${whole.format(samples[0].images)} images`, samples[0]);
  captioned(byId("last"), `Newest: ${whole.format(samples[end].images)} images`, samples[end]);
  window.playing = () => timer !== null;
}

/* Curves */

/** Exponential moving average without the pull towards zero at its start; gaps stay gaps. */
function smooth(values, weight) {
  let mean = 0;
  let total = 0;
  return values.map((value) => {
    if (value === null) return null;
    mean = weight * mean + (1 - weight) * value;
    total = weight * total + (1 - weight);
    return mean / total;
  });
}

function ticks(low, high, wanted, logarithmic) {
  if (logarithmic) {
    const made = [];
    const decades = Math.log10(high / low);
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const digit of decades < 2 ? [1, 2, 5] : [1]) made.push(digit * 10 ** power);
    }
    return made.filter((value) => value >= low && value <= high);
  }
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const made = [];
  for (let index = Math.ceil(low / step); index * step <= high; index++) made.push(index * step);
  return made;
}

function label(value) {
  if (value === null) return "–";
  const rounded = Number(value.toPrecision(3));
  return rounded && Math.abs(rounded) < 0.001 ? rounded.toExponential() : String(rounded);
}

class Chart {
  constructor(spec) {
    this.spec = spec;
    this.readout = make("output", { "aria-live": "off" });
    this.svg = make("svg", { role: "img", tabindex: "0" });
    this.legend = make("div", { class: "legend" });
    this.buttons = spec.curves.map((curve, index) => this.key(curve, index));
    this.legend.append(...this.buttons);
    this.element = make("article", { class: "chart" }, make("header", {}, make("h3", {}, spec.title), this.readout), this.svg, this.legend);
    this.at = null;
    this.listen();
  }

  colour(index) {
    return `var(--curve-${index % 8})`;
  }

  key(curve, index) {
    const line = make("i", { class: curve.dashed ? "dashed" : "" });
    line.style.borderColor = this.colour(index);
    const button = make("button", { type: "button" }, line, make("span", {}, curve.name), make("b", {}));
    button.addEventListener("click", () => {
      state.hidden[curve.name] = !state.hidden[curve.name];
      keep();
      this.draw();
    });
    return button;
  }

  listen() {
    const index = (event) => {
      const box = this.svg.getBoundingClientRect();
      const images = this.toImages(event.clientX - box.left);
      let best = this.from;
      for (let i = this.from; i <= this.to; i++) {
        if (Math.abs(this.spec.images[i] - images) < Math.abs(this.spec.images[best] - images)) best = i;
      }
      return best;
    };
    const point = (at) => {
      this.at = at;
      this.draw();
    };
    this.svg.addEventListener("pointermove", (event) => point(index(event)));
    this.svg.addEventListener("pointerleave", () => {
      this.pressed = null;
      point(null);
    });
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button === 0) this.pressed = index(event);
    });
    this.svg.addEventListener("pointerup", (event) => {
      const [from, to] = [this.pressed ?? index(event), index(event)].sort((a, b) => a - b);
      this.pressed = null;
      if (to - from > 2) setRange([this.spec.images[from], this.spec.images[to]]);
      else this.draw();
    });
    this.svg.addEventListener("blur", () => point(null));
    this.svg.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }[event.key];
      if (!by) return;
      event.preventDefault();
      this.readout.setAttribute("aria-live", "polite");
      point(Math.max(this.from, Math.min(this.to, (this.at ?? this.to) + by)));
    });
  }

  /** What is in sight, and the scales that take it to pixels. */
  measure() {
    const { images, curves } = this.spec;
    const [low, high] = state.range || [images[0], images.at(-1)];
    this.from = Math.max(0, images.findIndex((x) => x >= low));
    this.to = images.findLastIndex((x) => x <= high);
    if (this.to <= this.from) [this.from, this.to] = [0, images.length - 1];
    this.shown = curves.map((curve) => (this.spec.smooth ? smooth(curve.values, state.smoothing) : curve.values));
    const visible = curves.flatMap((curve, index) => (state.hidden[curve.name] ? [] : [index]));
    const inSight = (values) => values.slice(this.from, this.to + 1).filter((value) => value !== null);
    const numbers = visible.flatMap((index) => inSight(this.shown[index]));
    this.logarithmic = state.logarithmic && numbers.length > 0 && numbers.every((value) => value > 0);
    let bottom = numbers.reduce((a, b) => Math.min(a, b), Infinity);
    let top = numbers.reduce((a, b) => Math.max(a, b), -Infinity);
    if (bottom > top) [bottom, top] = [0, 1];
    // A scale from zero shows sizes honestly; a logarithmic one has no zero.
    if (!this.logarithmic && bottom > 0) bottom = 0;
    if (this.logarithmic) [bottom, top] = [bottom / 1.2, top * 1.2];
    else top += 0.06 * (top - bottom || 1);
    const box = this.svg.getBoundingClientRect();
    const [left, right, above, below] = [44, box.width - 10, 10, box.height - 24];
    const scale = this.logarithmic ? Math.log : (value) => value;
    const [x0, x1] = [images[this.from], images[this.to]];
    this.x = (value) => left + ((value - x0) / (x1 - x0 || 1)) * (right - left);
    this.toImages = (pixel) => x0 + ((pixel - left) / (right - left)) * (x1 - x0);
    this.y = (value) => below - ((scale(value) - scale(bottom)) / (scale(top) - scale(bottom))) * (below - above);
    return { visible, left, right, above, below, bottom, top, x0, x1 };
  }

  path(values) {
    let gap = true;
    let text = "";
    for (let i = this.from; i <= this.to; i++) {
      const value = values[i];
      if (value === null || (this.logarithmic && value <= 0)) {
        gap = true;
        continue;
      }
      text += `${gap ? "M" : "L"}${this.x(this.spec.images[i]).toFixed(1)} ${this.y(value).toFixed(1)}`;
      gap = false;
    }
    return text;
  }

  draw() {
    if (!this.svg.getBoundingClientRect().width) return; // not laid out yet: the observer of sizes calls again
    const { visible, left, right, above, below, bottom, top, x0, x1 } = this.measure();
    const { images, curves } = this.spec;
    const parts = [];
    for (const value of ticks(bottom, top, 5, this.logarithmic)) {
      parts.push(make("line", { class: "grid", x1: left, x2: right, y1: this.y(value), y2: this.y(value) }));
      parts.push(make("text", { x: left - 6, y: this.y(value) + 4, "text-anchor": "end" }, label(value)));
    }
    for (const value of ticks(x0, x1, Math.max(2, (right - left) / 90), false)) {
      parts.push(make("text", { x: this.x(value), y: below + 17, "text-anchor": "middle" }, short.format(value)));
    }
    // An inner svg cuts off what the smoothed curves' scale has no room for.
    const area = make("svg", { x: 0, y: 0, width: right + 1, height: below + 1 });
    parts.push(area);
    for (const index of visible) {
      const kind = `curve${curves[index].dashed ? " dashed" : ""}`;
      const add = (values, extra) => {
        const line = make("path", { class: kind + extra, d: this.path(values) });
        line.style.stroke = this.colour(index);
        area.append(line);
      };
      if (this.spec.smooth && state.smoothing > 0) add(curves[index].values, " raw");
      add(this.shown[index], "");
    }
    const at = this.at ?? this.to;
    if (this.at !== null) {
      const x = this.x(images[at]);
      parts.push(make("line", { class: "cursor", x1: x, x2: x, y1: above, y2: below }));
      for (const index of visible) {
        const value = this.shown[index][at];
        if (value === null || (this.logarithmic && value <= 0)) continue;
        const dot = make("circle", { cx: x, cy: this.y(value), r: 3.5 });
        dot.style.fill = this.colour(index);
        parts.push(dot);
      }
      if (this.pressed !== null && this.pressed !== undefined) {
        const [a, b] = [this.x(images[this.pressed]), x].sort((p, q) => p - q);
        parts.push(make("rect", { class: "chosen", x: a, y: above, width: b - a, height: below - above }));
      }
    }
    this.svg.replaceChildren(...parts);
    this.tell(at);
  }

  /** The legend is the read-out: it shows the values where the pointer is, or else the newest. */
  tell(at) {
    this.readout.textContent = `at ${whole.format(Math.round(this.spec.images[at]))} images`;
    const words = this.spec.curves.map((curve, index) => {
      const value = label(this.shown[index][at]);
      this.buttons[index].lastChild.textContent = value;
      this.buttons[index].setAttribute("aria-pressed", String(!state.hidden[curve.name]));
      return `${curve.name} ${value}`;
    });
    this.svg.setAttribute("aria-label", `${this.spec.title}, ${this.readout.textContent}: ${words.join(", ")}. Arrow keys move along the curve.`);
  }
}

let all = [];
const drawAll = () => all.forEach((chart) => chart.draw());

function setRange(range) {
  state.range = range;
  byId("whole").hidden = range === null;
  keep();
  drawAll();
}

function startCharts() {
  all = data.charts.map((spec) => new Chart(spec));
  byId("charts").append(...all.map((chart) => chart.element));
  const [smoothing, logarithmic] = [byId("smoothing"), byId("logarithmic")];
  smoothing.value = state.smoothing;
  logarithmic.checked = state.logarithmic;
  smoothing.addEventListener("input", () => {
    state.smoothing = Number(smoothing.value);
    keep();
    drawAll();
  });
  logarithmic.addEventListener("change", () => {
    state.logarithmic = logarithmic.checked;
    keep();
    drawAll();
  });
  byId("whole").addEventListener("click", () => setRange(null));
  byId("whole").hidden = state.range === null;
  new ResizeObserver(drawAll).observe(byId("charts"));
  drawAll();
}

/* Renewal */

function startRenewal() {
  for (const details of document.querySelectorAll("details[id]")) {
    details.open = Boolean(state.open[details.id]);
    details.addEventListener("toggle", () => {
      state.open[details.id] = details.open;
      keep();
    });
  }
  addEventListener("pagehide", () => {
    state.scroll = scrollY;
    state.focus = document.activeElement?.id;
    keep();
  });
  if (state.scroll) scrollTo(0, state.scroll);
  if (state.focus) byId(state.focus)?.focus({ preventScroll: true });
  if (!data.renewSeconds) return;
  let held = false;
  addEventListener("pointerdown", () => (held = true));
  addEventListener("pointerup", () => (held = false));
  addEventListener("pointercancel", () => (held = false));
  // Never under the reader's hands, and not while nobody looks.
  const renew = () => {
    if (held || document.hidden || window.playing?.()) setTimeout(renew, 2000);
    else location.reload();
  };
  setTimeout(renew, 1000 * data.renewSeconds);
  const minutes = Math.round((Date.now() - Date.parse(byId("renewed").dateTime)) / 60000);
  if (minutes >= 30) {
    byId("renewed").append(` (${whole.format(minutes)} minutes ago: if training was stopped, the same command goes on)`);
  }
}

startSamples();
startCharts();
startRenewal();
