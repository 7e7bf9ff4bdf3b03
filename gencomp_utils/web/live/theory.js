// What figures of theory share: panels with dots to be dragged, numbers that are shown and said.
"use strict";

globalThis.gencomp ??= {};

(() => {
  const LEFT = 46, RIGHT = 12, REACH = 26;
  const { text } = gencomp;

  // draw(plot, colours) draws; names are [key, words] of the numbers that update gives, with the
  // canvas' label; it is called without a name first, then with that of each control changed.
  const theory = (figure, { legend, height, names, draw, update }) => {
    const sliders = {};
    let dots, held;

    const panels = (plot, width) => (given) => {
      const box = { left: LEFT, width: width - LEFT - RIGHT, height: 150, ...given };
      const { x: [left, right], y: [low, high] } = box, axes = plot(box);
      // Dragged, the dot calls move with the place of the finger, in data coordinates.
      // What lies beyond the axes is held at their edge.
      const kept = (at, [least, most]) => Math.min(Math.max(at, least), most);
      axes.dot = (dataX, dataY, colour, radius, move) => {
        const [x, y] = [kept(dataX, box.x), kept(dataY, box.y)];
        axes.points([x], [y], colour, radius);
        dots.push({ x: axes.x(x), y: axes.y(y), move: (atX, atY) => move(
          left + (atX - LEFT) / box.width * (right - left),
          high - (atY - box.top) / box.height * (high - low),
        ) });
      };
      return axes;
    };
    const drag = (x, y, phase) => {
      if (phase === "start") {
        const far = (dot) => Math.hypot(dot.x - x, dot.y - y);
        held = dots.reduce((best, dot) => (far(dot) < far(best) ? dot : best));
        if (far(held) > REACH) return false;
      }
      held.move(x, y);
    };

    figure.legend(legend);
    const canvas = figure.canvas({ label: "", height, drag, draw: ({ plot, colours }, width) => {
      dots = [];
      draw(panels(plot, width), colours);
    } });
    return {
      slider: (name, label, min, max, step, digits = 2) => {
        const words = (value) => text(value, digits);
        return sliders[name] = figure.slider({ name, label, min, max, step, text: words });
      },
      set: (name, value) => {
        sliders[name].set(value);
        figure.change(name, figure.settings[name]);
      },
      begin: () => {
        figure.again(sliders);
        const show = figure.values(names);
        const refresh = (name) => {
          const { numbers, label } = update(name);
          const shown = names.map(([key, words]) => [key, words, text(numbers[key], 4)]);
          show(Object.fromEntries(shown.map(([key, , number]) => [key, number])));
          canvas.label(label);
          canvas.redraw();
          return shown.map(([, words, number]) => `${words}: ${number}`).join("; ");
        };
        figure.changed((name) => figure.say(refresh(name)));
        refresh();
      },
    };
  };

  gencomp.theory = theory;
})();
