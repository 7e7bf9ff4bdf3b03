// The game (3) between small networks, played as gencomp_utils/models/game.py plays it, and what it
// is worth exactly. Needs exact.js. Arrays are in float64, row after row; values are in nats.
"use strict";

globalThis.gencomp ??= {};

(() => {
  const { exact } = gencomp, { sigmoid, softplus } = exact;
  const tanh = (t) => 1 - 2 / (Math.exp(2 * t) + 1);  // in two thirds of Math.tanh's time

  // Random numbers by mulberry32, normal ones by Box and Muller.
  const stream = (seed) => {
    let state = Math.imul(seed + 1, 0x9e3779b1);
    const uniform = () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
    const normal = () =>
      Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    return { uniform, normals: (count) => new Float64Array(count).map(normal) };
  };

  // Networks

  // a bᵀ, for rows of one length. Blocks of 2 × 4 take half the time of entries one by one.
  const product = (a, b, inner) => {
    const rows = a.length / inner, columns = b.length / inner;
    const c = new Float64Array(rows * columns);
    if (rows < 2 || columns < 4) {
      for (let i = 0; i < c.length; i++) {
        const row = Math.floor(i / columns) * inner, column = (i % columns) * inner;
        for (let j = 0; j < inner; j++) c[i] += a[row + j] * b[column + j];
      }
      return c;
    }
    for (let i = 0; i < rows; i += 2) {
      for (let j = 0; j < columns; j += 4) {
        const row = Math.min(i, rows - 2), column = Math.min(j, columns - 4);
        let p = 0, q = 0, r = 0, s = 0, t = 0, u = 0, v = 0, w = 0;
        for (let k = row * inner, l = column * inner; k < (row + 1) * inner; k++, l++) {
          const x = a[k], y = a[k + inner];
          const e = b[l], f = b[l + inner], g = b[l + 2 * inner], h = b[l + 3 * inner];
          p += x * e; q += x * f; r += x * g; s += x * h;
          t += y * e; u += y * f; v += y * g; w += y * h;
        }
        const to = row * columns + column, on = to + columns;
        c[to] = p; c[to + 1] = q; c[to + 2] = r; c[to + 3] = s;
        c[on] = t; c[on + 1] = u; c[on + 2] = v; c[on + 3] = w;
      }
    }
    return c;
  };

  const transposed = (a, columns) => {
    const rows = a.length / columns, t = new Float64Array(a.length);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) t[j * rows + i] = a[i * columns + j];
    }
    return t;
  };

  // Tanh units between linear layers, Glorot's uniform weights, biases of zero. All lie in one
  // array, as PyTorch's parameters() lists them, and their gradient in another.
  const fullyConnected = (widths, random) => {
    let size = 0;
    const ends = widths.slice(1).map((outputs, i) => {
      const middle = size + widths[i] * outputs;
      return [size, middle, size = middle + outputs];
    });
    const weights = new Float64Array(size), gradient = new Float64Array(size);
    const layers = ends.map(([start, middle, end], i) => {
      const parts = (of) => [of.subarray(start, middle), of.subarray(middle, end)];
      const [w, b] = parts(weights), [dw, db] = parts(gradient), inputs = widths[i];
      const bound = Math.sqrt(6 / (inputs + b.length));
      for (let j = 0; j < w.length; j++) w[j] = bound * (2 * random.uniform() - 1);
      return { inputs, w, b, dw, db };
    });
    return { weights, gradient, layers };
  };

  // x after each layer; the output is the last.
  const forward = ({ layers }, x) => {
    const seen = [x];
    for (const { inputs, w, b } of layers) {
      const y = product(seen.at(-1), w, inputs), hidden = seen.length < layers.length;
      for (let i = 0; i < y.length; i++) {
        y[i] += b[i % b.length];
        if (hidden) y[i] = tanh(y[i]);
      }
      seen.push(y);
    }
    return seen;
  };

  const output = (network, x) => forward(network, x).at(-1);

  // From a loss' slope in the output to that in the input; adds to the gradient unless at rest.
  const backward = ({ layers }, seen, slope, atRest = false) => {
    for (let i = layers.length - 1; i >= 0; i--) {
      const { inputs, w, b, dw, db } = layers[i], x = seen[i];
      if (!atRest) {
        const rows = slope.length / b.length;
        product(transposed(slope, b.length), transposed(x, inputs), rows)
          .forEach((value, j) => { dw[j] += value; });
        slope.forEach((value, j) => { db[j % b.length] += value; });
      }
      slope = product(slope, transposed(w, inputs), b.length);
      if (i > 0) slope = slope.map((value, j) => value * (1 - x[j] ** 2));
    }
    return slope;
  };

  // What moves a network

  const descent = ({ weights, gradient }, rate) => ({
    rate,
    step() {
      for (let i = 0; i < weights.length; i++) weights[i] -= this.rate * gradient[i];
    },
  });

  const adam = ({ weights, gradient }, rate, [beta1, beta2] = [0.5, 0.999], eps = 1e-8) => {
    const first = new Float64Array(weights.length), second = new Float64Array(weights.length);
    let steps = 0;
    return {
      rate,
      step() {
        steps += 1;
        const correction1 = 1 - beta1 ** steps, correction2 = 1 - beta2 ** steps;
        for (let i = 0; i < weights.length; i++) {
          first[i] += (1 - beta1) * (gradient[i] - first[i]);
          second[i] += (1 - beta2) * (gradient[i] ** 2 - second[i]);
          const size = Math.sqrt(second[i] / correction2) + eps;
          weights[i] -= this.rate * first[i] / correction1 / size;
        }
      },
    };
  };

  // Algorithm 1. A loss is a mean over logits; here by its value at one logit and its slope there.

  const minusLogD = { at: (t) => softplus(-t), slope: (t) => -sigmoid(-t) };
  const minusLogOneMinusD = { at: softplus, slope: sigmoid };
  const saturatingLoss = { at: (t) => -softplus(t), slope: (t) => -sigmoid(t) };
  const nonSaturatingLoss = minusLogD;
  const mean = (loss, logits) => exact.sum(logits.map(loss.at)) / logits.length;
  const slopes = (loss, logits) => logits.map((t) => loss.slope(t) / logits.length);

  const discriminatorStep = (discriminator, optimizer, real, fake) => {
    discriminator.gradient.fill(0);
    const pairs = [[minusLogD, real], [minusLogOneMinusD, fake]];
    const losses = pairs.map(([loss, x]) => {
      const seen = forward(discriminator, x), logits = seen.at(-1);
      backward(discriminator, seen, slopes(loss, logits));
      return mean(loss, logits);
    });
    optimizer.step();
    return losses[0] + losses[1];
  };

  const generatorStep = (generator, optimizer, z, discriminator, loss) => {
    generator.gradient.fill(0);
    const made = forward(generator, z), seen = forward(discriminator, made.at(-1));
    const slope = backward(discriminator, seen, slopes(loss, seen.at(-1)), true);
    backward(generator, made, slope);
    optimizer.step();
    return mean(loss, seen.at(-1));
  };

  // Yields, after each iteration, D's last loss and G's, each before its step.
  function* algorithm1(gan, sampleData, sampleNoise, k, generatorLoss) {
    for (;;) {
      let dLoss;
      for (let i = 0; i < k; i++) {
        const x = sampleData(), z = sampleNoise();
        const fake = output(gan.generator, z);
        dLoss = discriminatorStep(gan.discriminator, gan.discriminatorOptimizer, x, fake);
      }
      const z = sampleNoise();
      const gLoss =
        generatorStep(gan.generator, gan.generatorOptimizer, z, gan.discriminator, generatorLoss);
      yield [dLoss, gLoss];
    }
  }

  // Exact quantities: the noise's mass, carried through G and laid on cells beside the data's

  const normalised = (masses) => {
    const total = exact.sum(masses);
    return masses.map((mass) => mass / total);
  };

  const judged = (p, q, logits) => {
    const value = exact.valueOfLogits(p, q, logits), cost = exact.cost(p, q);
    return { p, q, logits, value, cost, jsd: cost / 2 + Math.LN2, shortfall: cost - value };
  };

  const middles = (low, high, count) => {
    const half = (high - low) / count / 2;
    return exact.grid(low + half, high - half, count);
  };

  // Data N(mu, sd²), samples of one number from one; 2,400 cells, which reach at least so far.
  const EDGES = exact.grid(-9, 9, 1201);
  const MASSES = normalised(middles(-9, 9, 1200).map((z) => exact.gaussian(z, 0, 1)));
  const line = (mu, sd, from = mu - 7 * sd, to = mu + 7 * sd) => ({
    draw: (random, count) => random.normals(count).map((z) => mu + sd * z),
    judge({ generator, discriminator }) {
      const at = output(generator, EDGES), q = new Float64Array(2400);
      const low = Math.min(from, ...at), high = Math.max(to, ...at);
      const x = middles(low, high, q.length), dx = x[1] - x[0];
      MASSES.forEach((mass, i) => {  // spread evenly between the images of the cell's edges
        const ends = [(at[i] - low) / dx, (at[i + 1] - low) / dx];
        const left = Math.min(...ends), right = Math.max(...ends, left + 1e-9);
        for (let j = Math.floor(left); j < right; j++) {
          const part = (Math.min(right, j + 1) - Math.max(left, j)) / (right - left);
          q[Math.min(j, q.length - 1)] += mass * part;
        }
      });
      const p = normalised(x.map((value) => exact.gaussian(value, mu, sd)));
      return { x, dx, ...judged(p, q, output(discriminator, x)) };
    },
  });

  // Data N(c, 0.05² I) around eight centres c, samples of two numbers from two; 48 × 48 cells. Data
  // and samples are blurred by N(0, 0.1² I).
  const SIDE = 48, EDGE = 3, SD = 0.05, BLUR = 0.1, SHARES = 1000;
  const RING = Array.from({ length: 8 }, (_, i) => i * Math.PI / 4)
    .map((angle) => [2 * Math.cos(angle), 2 * Math.sin(angle)]);
  const MIDDLES = middles(-EDGE, EDGE, SIDE);
  const CENTRES = Float64Array.from({ length: 2 * SIDE ** 2 }, (_, i) =>
    MIDDLES[i % 2 ? Math.floor(i / 2 / SIDE) : i / 2 % SIDE]);
  // The noise in equal shares, laid out as a sunflower lays its seeds: evenly, and densest inside.
  const NOISE = Float64Array.from({ length: 2 * SHARES }, (_, i) => {
    const seed = Math.floor(i / 2), angle = seed * Math.PI * (3 - Math.sqrt(5));
    const radius = Math.sqrt(-2 * Math.log((seed + 0.5) / SHARES));
    return radius * (i % 2 ? Math.sin(angle) : Math.cos(angle));
  });

  // Points of equal mass as masses of the cells, each spread as a bell.
  const spread = (points, sd) => {
    const count = points.length / 2;
    const bells = (axis) => new Float64Array(SIDE * count).map((_, i) =>
      exact.gaussian(MIDDLES[Math.floor(i / count)], points[2 * (i % count) + axis], sd));
    return normalised(product(bells(1), bells(0), count));
  };
  const RING_MASSES = spread(RING.flat(), Math.hypot(SD, BLUR));

  const ring = () => ({
    draw(random, count) {
      const centres = Array.from({ length: count }, () => RING[Math.floor(8 * random.uniform())]);
      return random.normals(2 * count).map((z, i) => centres[Math.floor(i / 2)][i % 2] + SD * z);
    },
    judge({ generator, discriminator }) {
      // What lies farther out is taken to the border, where there are no data either.
      const at = output(generator, NOISE).map((t) => Math.max(-2.7, Math.min(2.7, t)));
      const near = RING.map(([x, y]) => at.filter((u, i) =>
        i % 2 === 0 && Math.hypot(u - x, at[i + 1] - y) < 0.25).length / SHARES);
      const modes = near.filter((share) => share >= 0.02).length;  // found by 2% of G's mass
      const q = spread(at, BLUR), logits = output(discriminator, CENTRES);
      return { near, modes, ...judged(RING_MASSES, q, logits) };
    },
  });

  gencomp.game = {
    RING, SIDE, EDGE, stream, fullyConnected, output, descent, adam, saturatingLoss,
    nonSaturatingLoss, algorithm1, line, ring,
  };
})();
