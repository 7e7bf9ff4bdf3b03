// Recorded networks: an image or a code goes forward, layer by layer, as in PyTorch.
"use strict";

globalThis.gencomp ??= {};

(() => {
  // c[i, j] = biases[i] + Σ a[i, k] b[j, k]. Registers hold four rows by two columns of c; where
  // fewer are left, the last is done again.
  const product = (a, b, biases, c, rows, columns, length) => {
    for (let i = 0; i < rows; i += 4) {
      const i1 = Math.min(i + 1, rows - 1), i2 = Math.min(i + 2, rows - 1);
      const i3 = Math.min(i + 3, rows - 1);
      const a0 = i * length, a1 = i1 * length, a2 = i2 * length, a3 = i3 * length;
      const c0 = i * columns, c1 = i1 * columns, c2 = i2 * columns, c3 = i3 * columns;
      for (let j = 0; j < columns; j += 2) {
        const j1 = Math.min(j + 1, columns - 1), b0 = j * length, b1 = j1 * length;
        let p0 = biases[i], p1 = biases[i1], p2 = biases[i2], p3 = biases[i3];
        let q0 = p0, q1 = p1, q2 = p2, q3 = p3;
        for (let k = 0; k < length; k++) {
          const p = b[b0 + k], q = b[b1 + k];
          const w0 = a[a0 + k], w1 = a[a1 + k], w2 = a[a2 + k], w3 = a[a3 + k];
          p0 += w0 * p; p1 += w1 * p; p2 += w2 * p; p3 += w3 * p;
          q0 += w0 * q; q1 += w1 * q; q2 += w2 * q; q3 += w3 * q;
        }
        c[c0 + j] = p0; c[c1 + j] = p1; c[c2 + j] = p2; c[c3 + j] = p3;
        c[c0 + j1] = q0; c[c1 + j1] = q1; c[c2 + j1] = q2; c[c3 + j1] = q3;
      }
    }
  };

  // Which pixel each weight of a kernel meets, row by row for its places; −1 outside. (`**` makes
  // no integers, and halved the speed of the loops above.)
  const places = ([channels, height, width], [, rows, columns], { kernel, stride, padding }) => {
    const size = kernel * kernel, length = channels * size;
    return new Int32Array(rows * columns * length).map((_, i) => {
      const place = Math.floor(i / length), k = i % size, c = Math.floor((i % length) / size);
      const y = Math.floor(place / columns) * stride + Math.floor(k / kernel) - padding;
      const x = (place % columns) * stride + (k % kernel) - padding;
      return y >= 0 && y < height && x >= 0 && x < width ? (c * height + y) * width + x : -1;
    });
  };

  const flipped = (matrix, rows, columns) => {
    const other = matrix.slice();
    for (let i = 0, at = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) other[j * rows + i] = matrix[at++];
    }
    return other;
  };

  const sigmoid = (logit) => 1 / (1 + Math.exp(-logit));

  const slope = (slope) => (values) => {
    for (let i = 0; i < values.length; i++) if (values[i] < 0) values[i] *= slope;
    return values;
  };

  // Each takes its weights in PyTorch's order, and gives the shape of what comes out, and the step.
  const layers = {
    tanh: ({ shape }) => ({ shape, step: (values) => values.map(Math.tanh) }),
    sigmoid: ({ shape }) => ({ shape, step: (values) => values.map(sigmoid) }),
    relu: (layer) => ({ shape: layer.shape, step: slope(layer.slope) }),
    reshape: ({ to }) => ({ shape: to, step: (values) => values }),
    linear({ inputs, outputs }, take) {
      const weights = take(outputs * inputs), biases = take(outputs);
      const sums = new Float32Array(outputs);
      const step = (values) => {
        product(weights, values, biases, sums, outputs, 1, inputs);
        return sums;
      };
      return { shape: [outputs, 1, 1], step };
    },
    convolution(layer, take) {
      const { shape: [inputs, ...sides], outputs, kernel, stride, padding, groups } = layer;
      const size = (side) => Math.floor((side + 2 * padding - kernel) / stride) + 1;
      const shape = [outputs, ...sides.map(size)], area = shape[1] * shape[2];
      const pixels = places([inputs / groups, ...sides], shape, layer);
      const length = inputs / groups * kernel * kernel;
      const weights = take(outputs * length), biases = take(outputs, layer.bias);
      const seen = new Float32Array(pixels.length), sums = new Float32Array(outputs * area);
      const step = (values) => {
        for (let g = 0; g < groups; g++) {
          const [x, w, b, y] = [values, weights, biases, sums].map((all) =>
            all.subarray(g * all.length / groups, (g + 1) * all.length / groups));
          for (let i = 0; i < seen.length; i++) seen[i] = pixels[i] < 0 ? 0 : x[pixels[i]];
          product(w, seen, b, y, outputs / groups, area, length);
        }
        return sums;
      };
      return { shape, step, weights, biases };
    },
    // Every pixel leaves its stamp, the kernel times its value, where a convolution would look.
    transposedConvolution(layer, take) {
      const { shape: [inputs, ...sides], outputs, kernel, stride, padding } = layer;
      const size = (side) => (side - 1) * stride + kernel - 2 * padding;
      const shape = [outputs, ...sides.map(size)], large = shape[1] * shape[2];
      const area = sides[0] * sides[1], length = outputs * kernel * kernel;
      const pixels = flipped(places(shape, layer.shape, layer), area, length);
      const weights = flipped(take(inputs * length), inputs, length);
      const biases = take(outputs, layer.bias), none = new Float32Array(length);
      const stamps = new Float32Array(pixels.length), sums = new Float32Array(outputs * large);
      const step = (values) => {
        product(weights, flipped(values, inputs, area), none, stamps, length, area, inputs);
        for (let c = 0; c < outputs; c++) sums.fill(biases[c], c * large, (c + 1) * large);
        for (let i = 0; i < stamps.length; i++) if (pixels[i] >= 0) sums[pixels[i]] += stamps[i];
        return sums;
      };
      return { shape, step, weights, biases };
    },
    // Multiplied into the layer before, whose weights lie together for each channel.
    normalisation({ shape, epsilon }, take, { weights, biases }) {
      const [channels] = shape, length = weights.length / channels;
      const [scale, shift, mean, variance] = [0, 1, 2, 3].map(() => take(channels));
      const factor = (c) => scale[c] / Math.sqrt(variance[c] + epsilon);
      weights.forEach((weight, i) => { weights[i] = weight * factor(Math.floor(i / length)); });
      biases.forEach((bias, c) => { biases[c] = (bias - mean[c]) * factor(c) + shift[c]; });
      return { shape, step: (values) => values };
    },
  };

  const network = (list, take) => {
    let made = {};
    const steps = list.map((layer) => {
      made = layers[layer.kind]({ ...layer, shape: made.shape }, take, made);
      return made.step;
    });
    return (values) => steps.reduce((x, step) => step(x), Float32Array.from(values)).slice();
  };

  // Numbers of 16 bits: sign, exponent and fraction go to their places in one of 32.
  const numbers = (text) => {
    const bytes = atob(text), bits = new Uint32Array(1), single = new Float32Array(bits.buffer);
    return new Float32Array(bytes.length / 2).map((_, i) => {
      const half = bytes.charCodeAt(2 * i) | (bytes.charCodeAt(2 * i + 1) << 8);
      bits[0] = ((half & 0x8000) << 16) | ((half & 0x7fff) << 13);
      return single[0] * 2 ** 112;
    });
  };

  const unpacked = (networks, text) => {
    const all = numbers(text);
    let at = 0;
    const take = (count, there = true) =>
      there ? all.subarray(at, (at += count)) : new Float32Array(count);
    const made = Object.entries(networks).map(([part, list]) => [part, network(list, take)]);
    if (at !== all.length) throw new Error(`there are ${all.length} weights, but ${at} are taken`);
    return Object.fromEntries(made);
  };

  // Called by a script of weights, which are unpacked when a network is first asked.
  gencomp.model = (name, { networks, weights, ...model }) => {
    let ready;
    for (const part of Object.keys(networks)) {
      model[part] = (values) => (ready ??= unpacked(networks, weights))[part](values);
    }
    (gencomp.models ??= {})[name] = model;
  };

  const sum = (values, term) => values.reduce((total, value, i) => total + term(value, i), 0);

  const signed = (text) => Int8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  gencomp.networks = {
    sigmoid,
    signed,
    pixels: (text) => Float32Array.from(signed(text), (byte) => (byte & 255) / 255),
    paint(context, pixels, left, top, size) {
      pixels.forEach((ink, at) => {
        context.globalAlpha = ink;
        context.fillRect(left + (at % 28) * size, top + Math.floor(at / 28) * size, size, size);
      });
      context.globalAlpha = 1;
    },
    softmax(logits) {
      const odds = Array.from(logits, Math.exp), all = sum(odds, (odd) => odd);
      return odds.map((odd) => odd / all);
    },
    // The terms of (7): −log p(x|z) where pixels are coins, and KL(q(z|x) ‖ p(z)).
    reconstruction: (logits, x) => sum(logits, (logit, j) =>
      Math.max(logit, 0) - logit * x[j] + Math.log1p(Math.exp(-Math.abs(logit)))),
    kl: (mean, logVariance) => 0.5 * sum(mean, (mu, i) =>
      mu ** 2 + Math.exp(logVariance[i]) - 1 - logVariance[i]),
    // A button that stays until a figure's networks are there; returns what loads them once.
    loader(figure, label, ready) {
      let loading;
      const load = () => loading ??= figure.models().then((models) => {
        const focused = button.matches(":focus"), row = button.parentElement;
        button.remove();
        if (focused) row.querySelector("select, button").focus();
        ready(models);
        figure.mark("weights", "ready");
      }).catch((error) => {
        loading = null;
        button.textContent = "That failed. Try again";
        throw error;
      });
      const button = figure.button({ label, action: load });
      return load;
    },
    // Draws from N(0, 1), the same ones for a seed (mulberry32, Box and Muller).
    normal(seed) {
      const uniform = () => {
        seed = (seed + 0x6d2b79f5) | 0;
        let bits = Math.imul(seed ^ (seed >>> 15), seed | 1);
        bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
        return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
      };
      return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    },
  };
})();
