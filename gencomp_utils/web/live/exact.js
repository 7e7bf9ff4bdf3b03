// Densities, divergences and the game's value, by sums over an even grid. Everything is in nats.
//
// Densities are arrays over the points of a grid of step dx; probabilities are arrays too, with
// dx = 1. 0 log 0 is 0, here as in gencomp_utils, against which tests/test_web_exact.py holds this.
"use strict";

globalThis.gencomp ??= {};

(() => {
  const LOG_2_PI = Math.log(2 * Math.PI);
  // What is lost on less mass than this doesn't decide: a density rounds to 0 before its logarithm.
  const MASS = 1e-9;

  const gaussian = (x, mean, sd) =>
    Math.exp(-(((x - mean) / sd) ** 2) / 2) / (sd * Math.sqrt(2 * Math.PI));

  // Loops, because map and reduce of typed arrays take several times as long.
  const fill = (count, at) => {
    const values = new Float64Array(count);
    for (let i = 0; i < count; i++) values[i] = at(i);
    return values;
  };
  const sumOf = (count, at) => {
    let total = 0;
    for (let i = 0; i < count; i++) total += at(i);
    return total;
  };

  const grid = (low, high, count) => fill(count, (i) => low + (high - low) * i / (count - 1));

  // Of points x, an array: [[weight, mean, sd], …] to densities.
  const mixture = (x, parts) => fill(x.length, (i) => sumOf(parts.length,
    (k) => parts[k][0] * gaussian(x[i], parts[k][1], parts[k][2])));

  const sum = (values, dx = 1) => sumOf(values.length, (i) => values[i]) * dx;

  // What each point adds to the JSD. With t = (p − q)/(p + q) a term of nearly equal densities is a
  // small number computed well, and never below 0.
  const half = (t) => (t === -1 ? 0 : (1 + t) * Math.log1p(t));
  const jsTerms = (p, q) => fill(p.length, (i) => {
    const total = p[i] + q[i], t = (p[i] - q[i]) / total;
    return total === 0 ? 0 : total / 4 * (half(t) + half(-t));
  });

  const js = (p, q, dx = 1) => Math.min(sum(jsTerms(p, q), dx), Math.LN2);

  const kl = (p, q, dx = 1) => {
    let total = 0, uncovered = 0;
    for (let i = 0; i < p.length; i++) {
      if (p[i] === 0) continue;
      if (q[i] === 0) uncovered += p[i];
      else total += p[i] * (Math.log(p[i]) - Math.log(q[i]));
    }
    return uncovered * dx > MASS ? Infinity : Math.max(total * dx, 0);
  };

  const totalVariation = (p, q, dx = 1) =>
    sumOf(p.length, (i) => Math.abs(p[i] - q[i])) * dx / 2;

  // The area between the distribution functions.
  const wasserstein = (p, q, dx = 1) => {
    let apart = 0;
    return sumOf(p.length, (i) => Math.abs(apart += (p[i] - q[i]) * dx)) * dx;
  };

  const klGaussian = (meanP, sdP, meanQ, sdQ) =>
    ((sdP / sdQ) ** 2 + ((meanP - meanQ) / sdQ) ** 2 - 1) / 2 - Math.log(sdP / sdQ);

  const optimal = (p, q) =>
    fill(p.length, (i) => (p[i] + q[i] === 0 ? 0.5 : p[i] / (p[i] + q[i])));

  const cost = (p, q, dx = 1) => 2 * js(p, q, dx) - 2 * Math.LN2;

  const sigmoid = (t) => 1 / (1 + Math.exp(-t));
  const softplus = (t) => Math.max(t, 0) + Math.log1p(Math.exp(-Math.abs(t)));

  // V of a D given by its logits, in which nothing rounds to certainty.
  const valueOfLogits = (p, q, logits, dx = 1) =>
    -sumOf(p.length, (i) => p[i] * softplus(-logits[i]) + q[i] * softplus(logits[i])) * dx;

  // What each point adds to C(G) − V: p log D*/D + q log (1 − D*)/(1 − D).
  const log = (mass, all) => (mass === 0 ? 0 : mass * Math.log(mass / all));
  const shortfallTerms = (p, q, logits) => fill(p.length, (i) => {
    const least = log(p[i], p[i] + q[i]) + log(q[i], p[i] + q[i]);
    return Math.max(least + p[i] * softplus(-logits[i]) + q[i] * softplus(logits[i]), 0);
  });

  // z from N(0, 1), x from N(Wz + b, s²I): what (7) and (10) to (13) name, for q = N(mean, sd²).
  // Of x and the model only |W|², W·(x − b), |x − b|² and the number of coordinates count.
  const linearGaussian = ({ weights, offset, noise, x }, mean, sd) => {
    const r = x.map((at, i) => at - offset[i]), variance = noise ** 2, d = x.length;
    const dot = (a, b) => sum(a.map((at, i) => at * b[i]));
    const ww = dot(weights, weights) / variance, wr = dot(weights, r) / variance;
    const rr = dot(r, r) / variance, constant = d * (LOG_2_PI + Math.log(variance));
    const posterior = { mean: wr / (1 + ww), sd: 1 / Math.sqrt(1 + ww) };
    const reconstruction = -(rr - 2 * wr * mean + ww * (mean ** 2 + sd ** 2) + constant) / 2;
    const kl = klGaussian(mean, sd, 0, 1);
    return {
      evidence: -(rr - wr ** 2 / (1 + ww) + Math.log(1 + ww) + constant) / 2,
      bound: reconstruction - kl,
      gap: klGaussian(mean, sd, posterior.mean, posterior.sd),
      reconstruction, kl, posterior,
    };
  };

  gencomp.exact = {
    gaussian, grid, mixture, sum, jsTerms, js, kl, klGaussian, totalVariation, wasserstein,
    optimal, cost, valueOfLogits, shortfallTerms, linearGaussian,
    sigmoid, softplus,
  };
})();
