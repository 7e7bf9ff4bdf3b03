// The evidence lower bound where the evidence is known: q is dragged; β grows until codes collapse.
"use strict";

globalThis.gencomp ??= {};

(() => {
  const { text, exact } = gencomp;
  const bell = (z, mean, sd) => exact.mixture(z, [[1, mean, sd]]);

  gencomp.figure("bound", (figure) => {
    figure.defaults({
      mu: 0, sigma: 0.6, weights: [1.6, 1.2], offset: [0, 1], noise: 1, x: [2.75, 1.5],
    });
    const now = figure.settings, model = { ...now }, SEEN = [-3, 3.5], Z = exact.grid(...SEEN, 261);
    const of = (mu, sigma = now.sigma) => exact.linearGaussian(model, mu, sigma);
    const { evidence, posterior } = of(0);

    const draw = (plot, colours) => {
      const { mu, sigma } = now, { bound } = of(mu);
      const above = plot({ x: SEEN, top: 26, y: [0, 2], ylabel: "density (drag the dots)",
        xticks: [] });
      above.line(Z, bell(Z, 0, 1), colours.ink, { dash: "dotted" });
      above.line(Z, bell(Z, posterior.mean, posterior.sd), colours.blue);
      above.line(Z, bell(Z, mu, sigma), colours.orange);
      const high = (z) => exact.gaussian(z, mu, sigma);
      above.dot(mu + sigma, high(mu + sigma), colours.orange, 5, (z) => set("sigma", z - mu));
      above.dot(mu, high(mu), colours.orange, 7, (z) => set("mu", z));
      const below = plot({
        x: SEEN, top: 216, y: [-16, -3], ylabel: "nats", xlabel: "code z above, mean μ of q below",
      });
      below.horizontal(evidence, colours.ink, "full");
      below.line(Z, Z.map((mean) => of(mean).bound), colours.purple);
      below.line([mu, mu], [bound, evidence], colours.vermilion, { width: 4 });
      below.dot(mu, bound, colours.purple, 6, (mean) => set("mu", mean));
    };

    const update = () => {
      const numbers = of(now.mu);
      return {
        numbers,
        label: `q around ${text(now.mu)}, of width ${text(now.sigma)}, beside the posterior around `
          + `${text(posterior.mean)}. Below, the bound by μ, ${text(numbers.gap)} under log p(x).`,
      };
    };

    const { slider, set, begin } = gencomp.theory(figure, {
      legend: [["prior", "ink", "dotted"], ["posterior", "blue"], ["q", "orange"],
        ["log p(x)", "ink"], ["ELBO", "purple"], ["gap", "vermilion"]],
      names: [["evidence", "log p(x), nats"], ["bound", "ELBO"], ["gap", "gap, KL(q‖posterior)"],
        ["reconstruction", "reconstruction"], ["kl", "KL(q‖prior)"]],
      height: 406, draw, update,
    });
    slider("mu", "μ of q", -1, 3, 0.05);
    slider("sigma", "σ of q", 0.2, 1.2, 0.01);
    figure.button({ label: "q = posterior", action: () => {
      set("mu", posterior.mean);
      set("sigma", posterior.sd);
      figure.change("sigma", posterior.sd); // which lies between the slider's steps
    } });
    begin();
  });

  // A linear VAE with s = 1, its encoder and decoder at their optimum for each β. `codes` are the
  // points' coordinates where they vary most, `spread` their variance there, `rest` that elsewhere.
  gencomp.figure("collapse", (figure) => {
    figure.defaults({ beta: 1, codes: [-2, 2], spread: 4, rest: 1, dimensions: 2 });
    const now = figure.settings, { codes, spread, rest, dimensions } = now;
    const Z = exact.grid(-10, 10, 801), DZ = Z[1] - Z[0], POWERS = exact.grid(-1, 1, 61);
    const prior = bell(Z, 0, 1);

    const at = (beta) => {
      const a = Math.max(spread, beta), w = Math.sqrt(a - beta), sd = Math.sqrt(beta / a);
      const means = codes.map((code) => w / a * code);
      const aggregate = exact.mixture(Z, means.map((mean) => [1 / means.length, mean, sd]));
      const kl = exact.sum(means.map((mean) => exact.klGaussian(mean, sd, 0, 1))) / means.length;
      const apart = exact.kl(aggregate, prior, DZ), total = w * w + 1;
      const missed = (1 - w * w / a) ** 2 * spread + (w * sd) ** 2;
      const constant = dimensions * Math.log(2 * Math.PI) + rest;
      return {
        means, sd, aggregate, kl, apart, information: kl - apart,
        bound: -(missed + constant) / 2 - kl,
        evidence: -(spread / total + Math.log(total) + constant) / 2,
      };
    };
    const curves = Array.from(POWERS, (power) => at(10 ** power));

    const draw = (plot, colours) => {
      const { means, sd, aggregate, information, apart } = at(now.beta), { vermilion } = colours;
      const above = plot({ x: [-3.5, 3.5], top: 26, y: [0, 3.2], xlabel: "code z",
        ylabel: "density" });
      for (const mean of means) above.line(Z, bell(Z, mean, sd), colours.orange, { width: 1 });
      above.line(Z, aggregate, colours.grey, { dash: "dashed" });
      above.line(Z, prior, colours.ink, { dash: "dotted" });
      const below = plot({
        x: [-1, 1], top: 248, y: [0, 2.2], ylabel: "nats", xlabel: "weight β of the KL",
        xticks: [[-1, "0.1"], [0, "1"], [1, "10"]],
      });
      below.line(POWERS, curves.map((row) => row.information), vermilion);
      below.line(POWERS, curves.map((row) => row.apart), vermilion, { dash: "dashed" });
      below.vertical(Math.log10(spread), colours.faint);
      below.text(Math.log10(spread), 1.8, "collapse ", colours.ink, "right");
      for (const part of [apart, information]) {
        const move = (power) => set("beta", 10 ** power);
        below.dot(Math.log10(now.beta), part, vermilion, 6, move);
      }
    };

    const update = () => ({
      numbers: at(now.beta),
      label: `The codes of ${codes.length} points ${now.beta < spread ? "have width "
        + text(at(now.beta).sd) : "have collapsed on the prior"}. Below, the parts of the KL by β.`,
    });

    const { slider, set, begin } = gencomp.theory(figure, {
      legend: [["q(z|x) of each point", "orange"], ["aggregate q(z)", "grey", "dashed"],
        ["prior p(z)", "ink", "dotted"], ["I(x; z)", "vermilion"],
        ["KL(q(z)‖p(z))", "vermilion", "dashed"]],
      names: [["information", "I(x; z), nats"], ["apart", "KL(q(z)‖p(z))"], ["kl", "their sum, the mean KL"],
        ["bound", "mean ELBO"], ["evidence", "mean log p(x)"]],
      height: 438, draw, update,
    });
    slider("beta", "β", 0.1, 8, 0.1, 1);
    begin();
  });
})();
