// The reader is the discriminator: bends D over two densities, and sees what each place loses.
"use strict";

globalThis.gencomp ??= {};

(() => {
  const { text, exact } = gencomp;
  const X = exact.grid(-12, 12, 961), DX = X[1] - X[0], ZERO = X.map(() => 0);
  const KNOTS = [-4, -3, -2, -1, 0, 1, 2, 3, 4], NAMES = KNOTS.map((_, i) => `d${i}`);
  const along = (x) => Math.min(Math.max(x - KNOTS[0], 0), KNOTS.length - 1);

  // Straight lines between the knots, and level outside.
  const between = (x, heights) => {
    const at = along(x), i = Math.min(Math.floor(at), KNOTS.length - 2);
    return heights[i] + (at - i) * (heights[i + 1] - heights[i]);
  };

  gencomp.figure("discriminator", (figure) => {
    figure.defaults({
      data: [[0.5, -2, 0.7], [0.5, 2, 0.7]], model: [[1, 0.5, 1.5]], point: 0, best: false,
      ...Object.fromEntries(NAMES.map((name) => [name, 0.5])),
    });
    const now = figure.settings;
    const p = exact.mixture(X, now.data), q = exact.mixture(X, now.model);
    const cost = exact.cost(p, q, DX), highest = 1.15 * Math.max(...p, ...q);
    const here = () => NAMES[Math.round(along(now.point))];
    let logits, lost;

    const draw = (plot, colours) => {
      const box = { x: [-5, 5], xticks: [] };
      const densities = plot({ ...box, top: 26, height: 100, y: [0, highest], ylabel: "density" });
      densities.line(X, p, colours.blue);
      densities.line(X, q, colours.orange);
      const answers = plot({ ...box, top: 166, y: [0, 1], ylabel: "D (drag the points)" });
      answers.horizontal(0.5, colours.faint);
      if (now.best) answers.line(X, exact.optimal(p, q), colours.green, { dash: "dashed" });
      answers.line(X, logits.map(exact.sigmoid), colours.green);
      KNOTS.forEach((knot, i) => {
        const radius = NAMES[i] === here() ? 8 : 5;
        // A finger that has one point takes those that it passes along.
        answers.dot(knot, now[NAMES[i]], colours.green, radius, (x, answer) => {
          set("point", KNOTS[Math.round(along(x))]);
          set("answer", answer);
        });
      });
      let most = 0.3;
      while (most < Math.max(...lost)) most *= 2;  // an axis that follows each movement shows none
      plot({
        ...box, xticks: KNOTS, xlabel: "x", ylabel: "shortfall, nats per unit of x",
        top: 356, height: 90, y: [0, most],
      }).area(X, ZERO, lost, colours.vermilion, 0.7);
    };

    const update = (name) => {
      if (name === "answer") now[here()] = now.answer;
      else answer.set(now[here()]);
      const heights = NAMES.map((key) => Math.log(now[key] / (1 - now[key])));
      logits = X.map((x) => between(x, heights));
      lost = exact.shortfallTerms(p, q, logits);
      const worst = X[lost.indexOf(Math.max(...lost))];
      return {
        numbers: {
          value: exact.valueOfLogits(p, q, logits, DX), cost, shortfall: exact.sum(lost, DX),
        },
        label: `D is ${NAMES.map((key) => text(now[key])).join(", ")} at −4 to 4, and loses most `
          + `near ${text(worst, 1)}.`,
      };
    };

    const { slider, set, begin } = gencomp.theory(figure, {
      legend: [["data", "blue"], ["generator", "orange"], ["D", "green"],
        ["D*, if shown", "green", "dashed"], ["shortfall (area)", "vermilion", "area"]],
      names: [["value", "V(D, G), nats"], ["cost", "C(G), the most V can be"],
        ["shortfall", "shortfall C(G) − V"]],
      height: 492, draw, update,
    });
    slider("point", "Point x", -4, 4, 1, 0);
    now.answer = now[here()];
    const answer = slider("answer", "D there", 0.01, 0.99, 0.01);
    figure.toggle({ name: "best", label: "Show D*" });
    begin();
  });
})();
