// Two bells to be dragged, the distances between them, and below them the panel that a page shows.
"use strict";

globalThis.gencomp ??= {};

(() => {
  const { text, exact } = gencomp;
  const X = exact.grid(-20, 24, 1761), COARSE = exact.grid(-20, 24, 441);
  const MEANS = exact.grid(-4, 8, 61);
  const LOOKS = [["JSD, nats", "purple"], ["W₁, units of x", "sky"],
    ["total variation", "sky", "dashed"], ["KL(p‖q), nats", "vermilion"],
    ["KL(q‖p), nats", "vermilion", "dashed"]];

  gencomp.figure("distributions", (figure) => {
    figure.defaults({ mu: 2, sigma: 1, p_mean: 0, p_width: 1, apart: 0, show: "integrand" });
    const now = figure.settings;
    let p, q, curves, curvesOf;

    // p has one peak, or two that are `apart` from its mean.
    const ofP = (x) => exact.mixture(x,
      [-1, 1].map((side) => [0.5, now.p_mean + side * now.apart, now.p_width]));
    const ofQ = (x, mu) => exact.mixture(x, [[1, mu, now.sigma]]);
    // In the order of the looks. Bells have their KL in closed form, in which nothing rounds to 0.
    const distances = (mu, x = X, from = p) => {
      const given = [from, ofQ(x, mu), x[1] - x[0]];
      return [
        exact.js(...given), exact.wasserstein(...given), exact.totalVariation(...given),
        exact.klGaussian(now.p_mean, now.p_width, mu, now.sigma),
        exact.klGaussian(mu, now.sigma, now.p_mean, now.p_width),
      ];
    };
    const slope = (i) => (distances(now.mu + 1e-4)[i] - distances(now.mu - 1e-4)[i]) / 2e-4;
    const names = LOOKS.map(([name], i) => [i, name]);

    const panel = {
      integrand: {
        ylabel: "what x adds to the JSD, nats per unit", y: [0, 0.3], xlabel: "x",
        legend: [["JSD (area)", "purple", "area"]], names, more: () => ({}),
        draw: (axes, { purple }) => axes.area(X, X.map(() => 0), exact.jsTerms(p, q), purple, 0.7),
      },
      best: {
        ylabel: "best discriminator D*", y: [0, 1], xlabel: "x",
        legend: [["D*", "green", "dashed"]],
        names: [["cost", "V(D*, G) = C(G), nats"], names[0], names[2]],
        more: () => ({ cost: exact.cost(p, q, X[1] - X[0]) }),
        draw: (axes, { green, faint }) => {
          axes.horizontal(0.5, faint);
          axes.line(X, exact.optimal(p, q), green, { dash: "dashed" });
        },
      },
      measures: {
        ylabel: "how far apart (legend: units)", y: [0, 8.4], height: 190, xlabel: "mean μ of q", legend: LOOKS,
        names: [...names, ["jsd", "slope of the JSD"], ["w1", "slope of W₁"]],
        more: () => ({ jsd: slope(0), w1: slope(1) }),
        draw: (axes, colours) => {
          const of = [now.p_mean, now.p_width, now.sigma].join();
          if (of !== curvesOf) {
            const coarse = ofP(COARSE);
            curves = Array.from(MEANS, (mu) => distances(mu, COARSE, coarse));
          }
          curvesOf = of;
          axes.vertical(now.mu, colours.faint);
          distances(now.mu).forEach((value, i) => {
            const [, colour, dash] = LOOKS[i];
            axes.line(MEANS, curves.map((row) => row[i]), colours[colour], { dash });
            axes.points([now.mu], [value], colours[colour], 5);
          });
        },
      },
    }[now.show];

    const draw = (plot, colours) => {
      const box = { x: [-6, 10] };
      const axes = plot({ ...box, top: 26, y: [0, 0.85], yticks: [0, 0.4, 0.8], xticks: [],
        ylabel: "density (drag the dots)" });
      for (const [density, colour, mean, width, shift] of [
        [p, colours.blue, "p_mean", "p_width", now.apart], [q, colours.orange, "mu", "sigma", 0],
      ]) {
        const top = now[mean] + shift, flank = top + now[width];
        const at = (x) => density[Math.round((x - X[0]) / (X[1] - X[0]))];
        axes.line(X, density, colour);
        axes.dot(flank, at(flank), colour, 5, (x) => set(width, x - top));
        axes.dot(top, at(top), colour, 7, (x) => set(mean, x - shift));
      }
      panel.draw(plot({ ...box, ...panel, top: 216 }), colours);
    };

    const update = () => {
      p = ofP(X);
      q = ofQ(X, now.mu);
      return {
        numbers: { ...distances(now.mu), ...panel.more() },
        label: `Densities p around ${text(now.p_mean)} and q around ${text(now.mu)}, of widths `
          + `${text(now.p_width)} and ${text(now.sigma)}. Below: ${panel.ylabel}.`,
      };
    };

    const { slider, set, begin } = gencomp.theory(figure, {
      legend: [["p", "blue"], ["q", "orange"], ...panel.legend], names: panel.names,
      height: 256 + (panel.height ?? 150), draw, update,
    });
    slider("mu", "Mean of q", -4, 8, 0.1);
    slider("sigma", "Width of q", 0.5, 2, 0.05);
    slider("p_mean", "Mean of p", -4, 8, 0.1);
    slider("p_width", "Width of p", 0.5, 2, 0.05);
    begin();
  });
})();
