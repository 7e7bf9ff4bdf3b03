// What live figures share: canvases, plots, controls, words for screen readers, play and pause.
"use strict";

globalThis.gencomp ??= {};

(() => {
  const figures = {};
  const LIGHT = {
    ink: "#222222", faint: "#b8b8b8", paper: "#ffffff", blue: "#0072B2", orange: "#E69F00",
    green: "#009E73", vermilion: "#D55E00", purple: "#B0558C", sky: "#56B4E9", grey: "#6B6B6B",
    brown: "#8C564B", violet: "#5F4690",
  };
  const DARK = {
    ink: "#e4e4e4", faint: "#5a5a5a", paper: "#14181e", blue: "#4DA3E0", orange: "#F0B429",
    green: "#2CC295", vermilion: "#F07F3C", purple: "#DE9DC2", sky: "#8CCBF2", grey: "#A0A0A0",
    brown: "#C99A90", violet: "#B3A0E0",
  };
  const DASHES = { full: [], dashed: [6, 4], dotted: [2, 3] };
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  const dark = () => {
    const root = document.documentElement, lab = document.body?.dataset.jpThemeLight;
    return (root.dataset.theme ?? root.getAttribute("theme")) === "dark" || lab === "false";
  };

  const make = (parent, tag, options = {}, attributes = {}) => {
    const element = Object.assign(document.createElement(tag), options);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    parent.append(element);
    return element;
  };

  const text = (value, digits = 2) =>
    value.toFixed(digits).replace(/^-(?=[0.]*$)/, "").replace("-", "−");

  // Even steps of 1, 2 or 5 times a power of ten, about so many of them.
  const ticks = ([low, high], about) => {
    const rough = (high - low) / about, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
    const found = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
      found.push(i * step);
    }
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    return found.map((value) => [value, text(value, digits)]);
  };

  const plot = (context, colours, box) => {
    const { left, top, width, height } = box;
    const scale = ([low, high], from, length) => (v) => from + length * (v - low) / (high - low);
    const x = scale(box.x, left, width), y = scale(box.y, top + height, -height);
    const listed = (given, range, about) =>
      given?.map((tick) => (Array.isArray(tick) ? tick : [tick, String(tick).replace("-", "−")]))
        ?? ticks(range, about);
    context.font = "13px system-ui, sans-serif";
    context.fillStyle = context.strokeStyle = colours.ink;
    context.lineWidth = 1;
    context.setLineDash([]);
    context.beginPath();
    context.moveTo(left, top);
    context.lineTo(left, top + height);
    context.lineTo(left + width, top + height);
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const [value, words] of listed(box.xticks, box.x, width / 70)) {
      context.moveTo(x(value), top + height);
      context.lineTo(x(value), top + height + 4);
      context.fillText(words, x(value), top + height + 6);
    }
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const [value, words] of listed(box.yticks, box.y, height / 36)) {
      context.moveTo(left - 4, y(value));
      context.lineTo(left, y(value));
      context.fillText(words, left - 6, y(value));
    }
    context.stroke();
    context.textAlign = "center";
    context.textBaseline = "top";
    if (box.xlabel) context.fillText(box.xlabel, left + width / 2, top + height + 21);
    context.textAlign = "left";
    context.textBaseline = "bottom";
    if (box.ylabel) context.fillText(box.ylabel, Math.max(2, left - 36), top - 8);

    const within = (draw) => {
      context.save();
      context.beginPath();
      context.rect(left, top - 1, width, height + 2);
      context.clip();
      draw();
      context.restore();
    };
    const trace = (xs, ys) => {
      for (let i = 0; i < xs.length; i++) context.lineTo(x(xs[i]), y(ys[i]));
    };
    const line = (xs, ys, colour, { dash = "full", width: thick = 2 } = {}) => within(() => {
      context.strokeStyle = colour;
      context.lineWidth = thick;
      context.setLineDash(DASHES[dash]);
      context.beginPath();
      trace(xs, ys);
      context.stroke();
    });
    return {
      x, y, line,
      area: (xs, low, high, colour, alpha = 0.3) => within(() => {
        context.fillStyle = colour;
        context.globalAlpha = alpha;
        context.beginPath();
        trace(xs, high);
        trace([...xs].reverse(), [...low].reverse());
        context.fill();
      }),
      // What lies on the edge is whole, what lies beyond it is left out.
      points: (xs, ys, colour, radius = 3) => {
        const inside = (value, [low, high]) => value >= low && value <= high;
        context.fillStyle = colour;
        for (let i = 0; i < xs.length; i++) {
          if (!inside(xs[i], box.x) || !inside(ys[i], box.y)) continue;
          context.beginPath();
          context.arc(x(xs[i]), y(ys[i]), radius, 0, 2 * Math.PI);
          context.fill();
        }
      },
      vertical: (at, colour, dash = "dotted") => line([at, at], box.y, colour, { dash, width: 1.5 }),
      horizontal: (at, colour, dash = "dotted") =>
        line(box.x, [at, at], colour, { dash, width: 1.5 }),
      text: (atX, atY, words, colour = colours.ink, align = "left") => {
        context.fillStyle = colour;
        context.textAlign = align;
        context.textBaseline = "bottom";
        context.fillText(words, x(atX), y(atY) - 3);
      },
    };
  };

  // The address keeps a figure's controls: #live-game-1:seed=3,k=5.
  const fromAddress = (id) => {
    const [name, list] = decodeURIComponent(location.hash.slice(1)).split(":");
    if (name !== id || !list) return {};
    return Object.fromEntries(list.split(",").map((entry) => {
      const [key, value] = entry.split("=");
      return [key, value === "true" ? true : value === "false" ? false
        : value !== "" && Number.isFinite(Number(value)) ? Number(value) : value];
    }));
  };
  const toAddress = (id, settings) => {
    const single = Object.entries(settings).filter(([, value]) => typeof value !== "object");
    const list = single.map((entry) => entry.join("=")).join(",");
    try {
      history.replaceState(null, "", `#${id}:${list}`);
    } catch {
      // A frame without an origin has no address of its own.
    }
  };

  class Figure {
    constructor(root) {
      this.root = root;
      const asked = fromAddress(root.id);
      this.settings = { ...JSON.parse(root.dataset.settings), ...asked };
      this.addressed = Object.keys(asked).length > 0;
      this.body = make(root, "div", { className: "gencomp-live-body" });
      this.listeners = [];
      this.drawings = 0;
      this.status = make(this.body, "p", { className: "gencomp-live-said" }, { role: "status" });
      // JupyterLab would take the arrow keys for its cells.
      this.body.addEventListener("keydown", (event) => event.stopPropagation());
      new IntersectionObserver((entries) => {
        if (!entries.at(-1).isIntersecting) this.pause?.();
      }).observe(root);
      document.addEventListener("visibilitychange", () => document.hidden && this.pause?.());
    }

    defaults(values) {
      for (const [name, value] of Object.entries(values)) {
        const given = this.settings[name];
        if (typeof given !== typeof value) this.settings[name] = value;
      }
    }

    mark(name, value) {
      this.root.dataset[name] = value;
    }

    changed(callback) {
      this.listeners.push(callback);
    }

    change(name, value) {
      this.settings[name] = value;
      for (const listener of this.listeners) listener(name);
      clearTimeout(this.writing);
      this.writing = setTimeout(() => toAddress(this.root.id, this.settings), 300);
    }

    say(words) {
      clearTimeout(this.saying);
      this.saying = setTimeout(() => { this.status.textContent = words; }, 500);
    }

    canvas({ label, height, draw, drag }) {
      const element = make(this.body, "canvas", { className: "gencomp-live-canvas" },
        { role: "img", "aria-label": label });
      const context = element.getContext("2d");
      let asked = false;
      const paint = () => {
        asked = false;
        const width = Math.max(200, Math.min(640, this.body.clientWidth));
        const high = typeof height === "function" ? height(width) : height;
        const ratio = devicePixelRatio || 1;
        const [w, h] = [Math.round(width * ratio), Math.round(high * ratio)];
        if (element.width !== w || element.height !== h) {
          Object.assign(element, { width: w, height: h });
          Object.assign(element.style, { width: `${width}px`, height: `${high}px` });
        }
        const colours = dark() ? DARK : LIGHT;
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        context.clearRect(0, 0, width, high);
        draw({ context, colours, plot: (box) => plot(context, colours, box) }, width, high);
        this.root.dataset.frames = ++this.drawings;
      };
      const redraw = () => {
        if (!asked) requestAnimationFrame(paint);
        asked = true;
      };
      if (drag) this.dragged(element, drag);
      new ResizeObserver(redraw).observe(this.body);
      new MutationObserver(redraw).observe(document.documentElement,
        { attributeFilter: ["data-theme"] });
      redraw();
      return { element, redraw, label: (words) => element.setAttribute("aria-label", words) };
    }

    dragged(element, drag) {
      const at = (event) => {
        const box = element.getBoundingClientRect();
        return [event.clientX - box.left, event.clientY - box.top];
      };
      let held = false;
      element.style.touchAction = "pan-y";
      element.addEventListener("pointerdown", (event) => {
        held = drag(...at(event), "start", event) !== false;
        if (!held) return;
        element.setPointerCapture(event.pointerId);
        event.preventDefault();
      });
      // A finger that holds a handle must not scroll the page; only this listener may forbid it.
      element.addEventListener("touchmove", (event) => held && event.preventDefault(),
        { passive: false });
      element.addEventListener("pointermove", (event) => held && drag(...at(event), "move", event));
      for (const end of ["pointerup", "pointercancel"]) {
        element.addEventListener(end, (event) => {
          if (held) drag(...at(event), "end", event);
          held = false;
        });
      }
    }

    row() {
      return this.controls ??= make(this.body, "div", { className: "gencomp-live-controls" });
    }

    slider({ name, label, min, max, step, text = (value) => String(value).replace("-", "−") }) {
      const id = `${this.root.id}-${name}`;
      const box = make(this.row(), "div", { className: "gencomp-live-slider" });
      make(box, "label", { textContent: label, htmlFor: id });
      const input = make(box, "input", { id, type: "range", min, max, step });
      const shown = make(box, "output", { htmlFor: id }, { "aria-live": "off" });
      const show = () => {
        shown.textContent = text(Number(input.value));
        input.setAttribute("aria-valuetext", shown.textContent);
      };
      const set = (value) => {
        input.value = value;
        show();
        this.settings[name] = Number(input.value);
      };
      set(this.settings[name]);
      input.addEventListener("input", () => {
        show();
        this.change(name, Number(input.value));
      });
      return { input, set };
    }

    choice({ name, label, options }) {
      const id = `${this.root.id}-${name}`;
      const box = make(this.row(), "div", { className: "gencomp-live-choice" });
      make(box, "label", { textContent: label, htmlFor: id });
      const input = make(box, "select", { id });
      for (const [value, words] of options) make(input, "option", { value, textContent: words });
      const values = new Map(options.map(([value]) => [String(value), value]));
      const set = (value) => {
        input.value = values.has(String(value)) ? value : options[0][0];
        this.settings[name] = values.get(input.value);
      };
      set(this.settings[name]);
      input.addEventListener("input", () => this.change(name, values.get(input.value)));
      return { input, set };
    }

    toggle({ name, label }) {
      const box = make(this.row(), "label", { className: "gencomp-live-toggle" });
      const input = make(box, "input", { type: "checkbox" });
      box.append(label);
      const set = (value) => {
        this.settings[name] = input.checked = Boolean(value);
      };
      set(this.settings[name]);
      input.addEventListener("input", () => this.change(name, input.checked));
      return { input, set };
    }

    button({ label, action }) {
      const button = make(this.row(), "button", { type: "button", textContent: label });
      button.addEventListener("click", action);
      return button;
    }

    // A button that puts back the numbers that the figure began with.
    again(sliders) {
      const first = Object.entries(this.settings).filter(([, value]) => typeof value === "number");
      this.button({ label: "Start again", action: () => {
        Object.assign(this.settings, Object.fromEntries(first));
        for (const [name, slider] of Object.entries(sliders)) slider.set(this.settings[name]);
        const [name] = Object.keys(sliders);
        this.change(name, this.settings[name]);
      } });
    }

    legend(entries) {
      const list = make(this.body, "ul", { className: "gencomp-live-legend" });
      for (const [words, colour, kind = "full"] of entries) {
        const entry = make(list, "li");
        make(entry, "span", {}, { "data-kind": kind, "data-colour": colour });
        entry.append(words);
      }
      const paint = () => {
        for (const mark of list.querySelectorAll("span")) {
          mark.style.color = (dark() ? DARK : LIGHT)[mark.dataset.colour];
        }
      };
      new MutationObserver(paint).observe(document.documentElement,
        { attributeFilter: ["data-theme"] });
      paint();
      return list;
    }

    values(entries) {
      const list = make(this.body, "dl", { className: "gencomp-live-values" });
      const cells = {};
      for (const [key, label] of entries) {
        const pair = make(list, "div");
        make(pair, "dt", { textContent: label });
        cells[key] = make(pair, "dd", { textContent: "–" });
      }
      return (texts) => {
        for (const [key, words] of Object.entries(texts)) {
          if (cells[key].textContent !== words) cells[key].textContent = words;
        }
      };
    }

    player({ step, reset, playing = false }) {
      let on = false;
      const frame = () => {
        if (!on) return;
        if (step() === false) pause();
        else requestAnimationFrame(frame);
      };
      const pause = () => {
        on = false;
        button.textContent = "Play";
        this.mark("state", "paused");
      };
      const play = () => {
        on = true;
        button.textContent = "Pause";
        this.mark("state", "playing");
        requestAnimationFrame(frame);
      };
      const button = this.button({ label: "Play", action: () => (on ? pause() : play()) });
      this.button({ label: "Step", action: () => { pause(); step(); } });
      this.button({ label: "Start again", action: () => { pause(); reset(); } });
      this.pause = () => on && pause();
      if (playing && !still.matches) this.begin = play;
      return { playing: () => on, pause };
    }

    async models() {
      const names = this.root.dataset.models.split(" ");
      for (const name of names) await gencomp.loadModel?.(name);
      return Object.fromEntries(names.map((name) => [name, gencomp.models[name]]));
    }
  }

  gencomp.text = text;

  gencomp.figure = (name, setup) => {
    figures[name] = setup;
  };

  gencomp.start = (root) => {
    if (root.querySelector(".gencomp-live-body")) return;
    const figure = new Figure(root);
    try {
      figures[root.dataset.figure](figure);
      if ((root.dataset.state ?? "poster") === "poster") root.dataset.state = "ready";
      root.dataset.live = "";
      if (figure.addressed) root.scrollIntoView({ block: "nearest" });
      figure.begin?.();
    } catch (error) {
      figure.body.remove();
      root.dataset.state = "failed";
      throw error;
    }
  };
})();
