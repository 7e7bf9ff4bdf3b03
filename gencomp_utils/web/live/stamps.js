// A transposed convolution: each input pixel stamps its window on the output; stamps are counted.
"use strict";

globalThis.gencomp ??= {};

(() => {
  const SIDE = 4, TOP = 24, LEFT = 2, GAP = 20, WIDEST = 26;
  const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const inside = (i) => i >= 0 && i < SIDE;

  gencomp.figure("stamps", (figure) => {
    figure.defaults({ window: 3, stride: 2, padding: 1, row: 1, column: 1 });
    const now = figure.settings;

    // How many windows cover each place along a side, before the edges are cut off.
    const counts = () => {
      const along = new Array((SIDE - 1) * now.stride + now.window).fill(0);
      for (let i = 0; i < SIDE; i++) {
        for (let j = 0; j < now.window; j++) along[i * now.stride + j]++;
      }
      return along;
    };
    const cellOf = (width) => Math.min(WIDEST, (width - GAP - 2 * LEFT) / (SIDE + counts().length));

    const draw = ({ context, colours }, width) => {
      const { window: w, stride: s, padding: p, row, column } = now, cell = cellOf(width);
      const along = counts(), side = along.length, output = LEFT + SIDE * cell + GAP;
      const square = (from, i, j, size, colour, lineWidth) => {
        Object.assign(context, { strokeStyle: colour, lineWidth });
        context.strokeRect(from + j * cell, TOP + i * cell, size * cell, size * cell);
      };
      const write = (words, x, y, textAlign) => {
        Object.assign(context, { textAlign, textBaseline: "middle", fillStyle: colours.ink });
        context.fillText(words, x, y);
      };
      context.font = "13px system-ui, sans-serif";
      write("input", LEFT, TOP / 2, "left");
      write("output: how many stamps", output, TOP / 2, "left");
      for (let i = 0; i < side; i++) {
        for (let j = 0; j < side; j++) {
          const stamps = along[i] * along[j], x = output + j * cell, y = TOP + i * cell;
          context.globalAlpha = 0.45 * stamps / Math.max(...along) ** 2;
          context.fillStyle = colours.sky;
          context.fillRect(x, y, cell, cell);
          context.globalAlpha = Math.min(i, j) < p || Math.max(i, j) >= side - p ? 0.5 : 1;
          write(stamps, x + cell / 2, y + cell / 2, "center");
          square(output, i, j, 1, colours.faint, 0.5);
          if (inside(i) && inside(j)) square(LEFT, i, j, 1, colours.faint, 1);
        }
      }
      context.globalAlpha = 1;
      context.setLineDash([5, 3]);
      square(output, p, p, side - 2 * p, colours.ink, 2);
      context.setLineDash([]);
      square(LEFT, row, column, 1, colours.vermilion, 3);
      square(output, row * s, column * s, w, colours.vermilion, 3);
    };

    const choose = (row, column) => {
      const chosen = inside(row) && inside(column);
      if (chosen) {
        Object.assign(now, { row, column });
        refresh();
      }
      return chosen;
    };
    const point = (x, y) => {
      const cell = cellOf(canvas.element.clientWidth);
      return choose(Math.floor((y - TOP) / cell), Math.floor((x - LEFT) / cell));
    };

    const refresh = () => {
      const { window: w, stride: s, padding: p } = now, along = counts();
      const kept = along.slice(p, along.length - p);
      const products = new Set(kept.flatMap((i) => kept.map((j) => i * j)));
      const stamps = [...products].sort((a, b) => a - b).join(", ");
      show({
        size: `(${SIDE} − 1) · ${s} − 2 · ${p} + ${w} = ${kept.length}`, stamps,
        alike: w % s ? `no: ${w} isn't a multiple of ${s}`
          : `yes${products.size > 1 ? ", but for those near the edge" : ""}`,
      });
      canvas.label(`The input's pixel in row ${now.row + 1}, column ${now.column + 1} stamps ${w} `
        + `by ${w} pixels of the output. Arrow keys choose another.`);
      canvas.redraw();
      return `Side of the output: ${kept.length}. Stamps on a pixel: ${stamps}.`;
    };

    figure.legend([["chosen pixel, and its stamp", "vermilion"],
      ["what is left when edges are cut off", "ink", "dashed"]]);
    const canvas = figure.canvas({ label: "", draw, drag: point,
      height: (width) => TOP + LEFT + counts().length * cellOf(width) });
    Object.assign(canvas.element, { tabIndex: 0, role: "application" });
    canvas.element.addEventListener("pointermove", (event) => point(event.offsetX, event.offsetY));
    canvas.element.addEventListener("keydown", (event) => {
      if (!ARROWS[event.key]) return;
      const [down, right] = ARROWS[event.key];
      event.preventDefault();
      choose(now.row + down, now.column + right);
      figure.say(`Row ${now.row + 1}, column ${now.column + 1}.`);
    });
    const sliders = {};
    for (const [name, label, min, max] of [
      ["window", "Window w", 2, 6], ["stride", "Stride s", 1, 3], ["padding", "Padding p", 0, 2],
    ]) sliders[name] = figure.slider({ name, label, min, max, step: 1 });
    figure.again(sliders);
    const show = figure.values([["size", "side of the output"], ["stamps", "stamps on a pixel"],
      ["alike", "all pixels alike?"]]);
    figure.changed(() => figure.say(refresh()));
    refresh();
  });
})();
