// The recorded VAE: draw a digit, see q(z|x), choose a code, see p(x|z) and the terms of (7).
"use strict";

(() => {
  const { kl, loader, normal, paint, pixels, reconstruction, sigmoid, signed, softmax } =
    gencomp.networks;
  const SIDE = 28, HIGH = 3.2, DRAWS = 20, FONT = "13px system-ui, sans-serif";
  const NAMES = "zero one two three four five six seven eight nine".split(" ");

  const number = (value, digits = 1) => gencomp.text(value, digits);
  const pair = (values, digits = 2) => values.map((value) => number(value, digits)).join(", ");

  const stroke = (context, strokes, scale, [left, top], lineWidth) => {
    Object.assign(context, { lineWidth, lineCap: "round", lineJoin: "round" });
    for (const line of strokes) {
      context.beginPath();
      for (const [x, y] of [line[0], ...line]) context.lineTo(left + x * scale, top + y * scale);
      context.stroke();
    }
  };
  const inked = (strokes, scale, corner) => {
    const context = new OffscreenCanvas(SIDE, SIDE).getContext("2d");
    stroke(context, strokes, scale, corner, 2.5);
    const { data } = context.getImageData(0, 0, SIDE, SIDE);
    return new Float32Array(SIDE * SIDE).map((_, at) => data[4 * at + 3] / 255);
  };
  // As MNIST's digits were: the ink fits into 20 pixels, and its centre of mass is in the middle.
  const normalised = (strokes) => {
    const along = [0, 1].map((axis) => strokes.flat().map((point) => point[axis]));
    const [left, top] = along.map((values) => Math.min(...values));
    const [right, bottom] = along.map((values) => Math.max(...values));
    const scale = 17.5 / Math.max(right - left, bottom - top, 0.2);
    const [x, y] = [5 - left * scale, 5 - top * scale], ink = inked(strokes, scale, [x, y]);
    const mass = ink.reduce((sum, value) => sum + value);
    const mean = (place) => ink.reduce((sum, value, at) => sum + value * place(at), 0) / mass;
    const [column, row] = [mean((at) => at % SIDE), mean((at) => Math.floor(at / SIDE))];
    return inked(strokes, scale, [x + 14 - column, y + 14 - row]);
  };

  const box = (left, top, width, height = width) => ({ left, top, width, height });
  const boxes = (width) => {
    const wide = width >= 520;
    const plane = wide ? box(240, 20, width - 244, 270) : box(36, 250, width - 40, 0.7 * width);
    return {
      pad: box(1, 20, 196), plane, height: plane.top + plane.height + (wide ? 40 : 162),
      x: wide ? box(1, 244, 84) : box(220, 20, 84),
      decoded: wide ? box(113, 244, 84) : box(220, 132, 84),
      // Beside the codes, or below them where there is no room.
      lens: wide ? box(plane.left + plane.width - 70, plane.top + plane.height - 72, 66)
        : box(plane.left, plane.top + plane.height + 60, 96),
    };
  };

  gencomp.figure("explorer", (figure) => {
    const { settings } = figure, { start } = settings;
    delete settings.start;
    figure.defaults({ image: 7, z1: start.mean[0], z2: start.mean[1], to: 0, t: 0 });
    const codes = Float32Array.from(signed(start.codes), (byte) => byte / 32);
    const random = normal(1), noises = Array.from({ length: DRAWS }, () => [random(), random()]);
    const now = { strokes: [], x: pixels(start.x), decoded: pixels(start.decoded) };
    let models, resting, area, held, rests = 0;

    const answer = (mean, logVariance) => {
      const sd = logVariance.map((value) => Math.exp(value / 2));
      const drawn = (noise) => mean.map((mu, i) => mu + sd[i] * noise[i]);
      Object.assign(now, { mean, sd, drawn, z: mean, kl: kl(mean, logVariance) });
    };
    const encode = () => {
      const both = Array.from(models.vae.encoder(now.x));
      answer(both.slice(0, 2), both.slice(2));
      t.set(0);
      decode(now.mean);
    };
    const decode = (z) => {
      const logits = models.vae.decoder(z);
      Object.assign(now, { z, decoded: logits.map(sigmoid) });
      sliders.forEach((slider, i) => slider.set(z[i]));
      set({ here: number(reconstruction(logits, now.x)), kl: number(now.kl) });
      canvas.redraw();
      clearTimeout(resting);
      figure.mark("rests", "");
      resting = setTimeout(rest, 80);
    };
    // What takes too long for every frame.
    const rest = () => {
      const cost = (noise) => reconstruction(models.vae.decoder(now.drawn(noise)), now.x) / DRAWS;
      const mean = noises.reduce((sum, noise) => sum + cost(noise), 0), loss = mean + now.kl;
      const [seen, told] = [now.x, now.decoded].map((image) => {
        if (!image.some(Boolean)) return "–";
        const odds = softmax(models.classifier.logits(image)), most = Math.max(...odds);
        return `${odds.indexOf(most)} (${Math.round(100 * most)}%)`;
      });
      set({ mean: number(mean), loss: number(loss), bound: number(-loss), seen, told });
      figure.say(`Read as ${seen}, decoded as ${told}. The loss is ${number(loss)} nats.`);
      canvas.label(label());
      figure.mark("rests", ++rests);
    };
    const label = () => "An image x and the map of codes. The encoder answers with an ellipse "
      + `around ${pair(now.mean)}, standard deviations ${pair(now.sd, 3)}. An image is decoded `
      + `from z = ${pair(now.z)}.`;

    const picture = (digit) => models.pictures.slice(digit * SIDE ** 2, (digit + 1) * SIDE ** 2);
    const pick = () => {
      if (settings.image !== "own") now.x = picture(settings.image);
      else now.x = now.strokes.length ? normalised(now.strokes) : new Float32Array(SIDE ** 2);
      encode();
    };
    const walk = () => {
      const end = models.vae.encoder(picture(settings.to));
      decode(now.mean.map((from, i) => from + settings.t * (end[i] - from)));
    };
    // A slider rounds what wasn't set by it.
    const slide = (z = [settings.z1, settings.z2]) => decode(z.map((value, i) =>
      (Math.abs(value - now.z[i]) < 0.006 ? now.z[i] : value)));

    const draw = ({ context, colours, plot }, width) => {
      area = boxes(width);
      const { pad, x, decoded, plane, lens } = area;
      const frame = ({ left, top, width, height }, words) => {
        Object.assign(context, { font: FONT, textAlign: "left", textBaseline: "bottom" });
        const { paper: fillStyle, faint: strokeStyle } = colours;
        Object.assign(context, { fillStyle, strokeStyle, lineWidth: 1 });
        context.fillRect(left, top - 16, width, height + 16);
        context.strokeRect(left - 0.5, top - 0.5, width + 1, height + 1);
        context.fillStyle = colours.ink;
        context.fillText(words, left, top - 3);
      };
      const ellipses = (axes) => {
        for (const [radius, dash] of [[1, "full"], [2, "dashed"]]) {
          const along = (wave, i) => Array.from({ length: 61 }, (_, turn) =>
            now.mean[i] + radius * now.sd[i] * wave((turn * Math.PI) / 30));
          const [xs, ys] = [Math.cos, Math.sin].map(along);
          axes.line(xs, ys, colours.vermilion, { dash, width: 1.5 });
        }
      };
      frame(pad, "Draw a digit here");
      context.strokeStyle = colours.ink;
      stroke(context, now.strokes, pad.width, [pad.left, pad.top], 14);
      frame(x, "x");
      paint(context, now.x, x.left, x.top, 3);
      frame(decoded, "decoded");
      paint(context, now.decoded, decoded.left, decoded.top, 3);

      const far = (HIGH * plane.width) / plane.height, reach = 3.5 * Math.max(...now.sd);
      const map = plot({ ...plane, x: [-far, far], y: [-HIGH, HIGH], xlabel: "z₁", ylabel: "z₂" });
      const { ink, faint, paper, brown, violet, ...cycle } = colours;
      const palette = [...Object.values(cycle), ink, brown, violet];
      Object.assign(context, { font: "9px system-ui, sans-serif", textAlign: "center" });
      [...start.labels].forEach((digit, i) => {
        context.fillStyle = palette[digit];
        context.fillText(digit, map.x(codes[2 * i]), map.y(codes[2 * i + 1]) + 5);
      });
      ellipses(map);
      context.strokeStyle = colours.ink;
      context.beginPath();
      area.z = [map.x(now.z[0]), map.y(now.z[1])];
      context.arc(...area.z, 9, 0, 2 * Math.PI);
      context.stroke();

      frame(lens, "q(z|x)");
      const [across, up] = now.mean.map((mu) => [mu - reach, mu + reach]);
      const close = plot({ ...lens, x: across, y: up, xticks: [], yticks: [] });
      const [xs, ys] = [0, 1].map((axis) => noises.map((noise) => now.drawn(noise)[axis]));
      close.points(xs, ys, colours.grey, 1.5);
      ellipses(close);
      close.points([now.z[0]], [now.z[1]], colours.ink, 4);
      Object.assign(plane, { middle: [0, 0], half: [far, HIGH] });
      Object.assign(lens, { middle: now.mean, half: [reach, reach] });
    };

    const drag = (x, y, phase, { pointerType }) => {
      const parts = ({ left, top, width, height }) => [(x - left) / width, (y - top) / height];
      const inside = (name) => parts(area[name]).every((part) => part >= 0 && part <= 1);
      if (phase === "start") held = ["pad", "lens", "plane"].find(inside);
      // Elsewhere on the map a finger scrolls the page.
      const far = Math.hypot(x - area.z[0], y - area.z[1]) > 40;
      if (phase === "start" && held === "plane" && pointerType === "touch" && far) held = null;
      if (!held) return false;
      const [right, down] = parts(area[held]), { middle, half } = area[held];
      if (held === "pad") {
        if (phase === "start") now.strokes.push([]);
        now.strokes.at(-1).push([right, down].map((part) => Math.min(1, Math.max(0, part))));
        image.set("own");
        canvas.redraw();
        if (models) pick();
      } else if (models) {
        decode([middle[0] + half[0] * (2 * right - 1), middle[1] + half[1] * (1 - 2 * down)]);
      }
      if (phase === "end") figure.change("z1", settings.z1);
      return load();
    };

    answer(start.mean, start.logVariance);
    const height = (width) => boxes(width).height;
    const canvas = figure.canvas({ label: label(), height, draw, drag });
    const digits = NAMES.map((name, i) => [i, `${name === "eight" ? "an" : "a"} ${name}`]);
    const load = loader(figure, "Load the network (1.5 MB)", (loaded) => {
      const { image, z1, z2 } = settings;
      models = { ...loaded, pictures: pixels(loaded.vae.pictures) };
      if (image !== 7) pick();
      if (image === 7 || figure.addressed) slide([z1, z2]);
    });
    const after = (action) => () => load().then(action);
    const image = figure.choice({
      name: "image", label: "x is", options: [...digits, ["own", "your drawing"]],
    });
    const buttons = {
      "Clear the drawing": () => {
        now.strokes = [];
        canvas.redraw();
        if (settings.image === "own") load().then(pick);
      },
      "z = mean": after(() => decode(now.mean)),
      "Draw z from q": after(() => decode(now.drawn([random(), random()]))),
    };
    for (const [label, action] of Object.entries(buttons)) figure.button({ label, action });
    const sliders = [["z₁", 4], ["z₂", HIGH]].map(([label, most], i) => figure.slider({
      name: `z${i + 1}`, label, min: -most, max: most, step: 0.01, text: (z) => number(z, 2),
    }));
    figure.choice({ name: "to", label: "Walk to", options: digits });
    const t = figure.slider({ name: "t", label: "t", min: 0, max: 1, step: 0.01 });
    const set = figure.values([
      ["here", "reconstruction loss at z"], ["mean", `its mean over ${DRAWS} draws`], ["kl", "KL(q‖p)"],
      ["loss", "loss (7)"], ["bound", `ELBO, by ${DRAWS} draws`],
      ["seen", "x is read as"], ["told", "decoded is read as"],
    ]);
    set({ here: number(start.reconstruction), kl: number(now.kl) });
    figure.legend([["q(z|x), 1σ", "vermilion"], ["2σ", "vermilion", "dashed"],
      ["z (the ring)", "ink"]]);
    const reactions = { image: pick, to: walk, t: walk, z1: slide, z2: slide };
    figure.changed((name) => load().then(reactions[name]));
    if (figure.addressed) load();
  });
})();
