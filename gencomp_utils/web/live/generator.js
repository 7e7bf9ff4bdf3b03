// The recorded DCGAN: digits of new noise, an arc between two of them, and the length of z.
"use strict";

(() => {
  const { loader, normal, paint, pixels, signed } = gencomp.networks;
  const COUNT = 12, LENGTH = 100;

  const long = (times) => (times * Math.sqrt(LENGTH)).toFixed(1);
  const norm = (z) => Math.hypot(...z);
  // On the sphere, because noise hardly ever comes near the middle, where a straight line leads.
  const arc = (from, to, t) => {
    const cosine = from.reduce((sum, z, i) => sum + z * to[i], 0) / norm(from) / norm(to);
    const angle = Math.acos(Math.min(1, cosine)) || 1e-9;
    const [a, b] = [1 - t, t].map((part) => Math.sin(part * angle));
    return from.map((z, i) => a * z + b * to[i]);
  };

  gencomp.figure("generator", (figure) => {
    const { settings } = figure, { start } = settings;
    delete settings.start;
    figure.defaults({ seed: 0, from: 1, to: 2, t: 0, length: 1 });
    const parts = (array, size) =>
      Array.from({ length: COUNT }, (_, i) => array.slice(i * size, (i + 1) * size));
    const given = parts(Float32Array.from(signed(start.noise), (byte) => byte / 32), LENGTH);
    let noises = given, images = parts(pixels(start.images), 28 * 28), chosen = images[0];
    let model, side;

    const made = (z) => model.pixels(z).map((pixel) => (pixel + 1) / 2);
    const words = () => `from image ${settings.from} to ${settings.to}, t = ${settings.t}, `
      + `length ${long(settings.length)}`;
    const choose = () => {
      const z = arc(noises[settings.from - 1], noises[settings.to - 1], settings.t);
      const factor = (settings.length * Math.sqrt(LENGTH)) / norm(z);
      chosen = made(z.map((value) => factor * value));
      canvas.label(label());
      canvas.redraw();
      figure.say(`The image ${words()}.`);
    };
    const renew = () => {
      const random = normal(settings.seed);
      noises = settings.seed ? noises.map((z) => z.map(random)) : given;
      images = noises.map(made);
      choose();
    };
    const label = () => `Twelve digits made of noise; large, the image ${words()}.`;

    const canvas = figure.canvas({
      label: label(),
      height: (width) => (width < 600 ? 386 : 276),
      draw({ context, colours }, width) {
        const [size, left, top, large] = width < 600 ? [2, 2, 214, 6] : [3, 372, 20, 9];
        side = 28 * size + 4;
        const { ink: fillStyle, orange: strokeStyle } = colours;
        Object.assign(context, { fillStyle, strokeStyle, lineWidth: 2, textBaseline: "bottom" });
        context.font = "13px system-ui, sans-serif";
        context.fillText("G(z)", left, top - 3);
        paint(context, chosen, left, top, large);
        images.forEach((image, i) => {
          const at = [2 + (i % 4) * side, 2 + Math.floor(i / 4) * side], digit = i + 1;
          paint(context, image, ...at, size);
          context.setLineDash(digit === settings.from ? [] : [4, 4]);
          if (digit === settings.from || digit === settings.to) {
            context.strokeRect(...at, side - 4, side - 4);
          }
        });
      },
      drag(x, y) {
        const column = Math.floor(x / side), row = Math.floor(y / side);
        if (column < 4 && row < 3) {
          from.set(4 * row + column + 1);
          figure.change("from", settings.from);
        }
        return false;
      },
    });
    const digits = images.map((_, i) => [i + 1, `image ${i + 1}`]);
    const load = loader(figure, "Load the generator (1.9 MB)", ({ generator }) => {
      model = generator;
      renew();
    });
    figure.button({ label: "New noise", action: () => figure.change("seed", settings.seed + 1) });
    const from = figure.choice({ name: "from", label: "From", options: digits });
    figure.choice({ name: "to", label: "to", options: digits });
    figure.slider({ name: "t", label: "along the arc", min: 0, max: 1, step: 0.01 });
    figure.slider({ name: "length", label: "length of z", min: 0, max: 2, step: 0.02, text: long });
    figure.changed((name) => load().then(name === "seed" ? renew : choose));
    if (figure.addressed) load();
  });
})();
