// The game on a line and on a ring of eight modes: played step by step, and judged exactly.
"use strict";

globalThis.gencomp ??= {};

(() => {
  const { exact, game, text } = gencomp, { sigmoid } = exact;
  const RATES = [0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];
  const SEEN = [-4, 8], LEAST = -Math.log(4);

  // On the line the data are N(mu, sd²), and the samples begin as N(0, width²).
  const DEFAULTS = {
    seed: 1, loss: "non-saturating", k: 1, optimizer: "adam", rateG: 0.01, rateD: 0.01,
  };
  const PRESETS = {
    equal: { words: "line, equal speeds", line: [3, 0.5], width: 1, end: 480 },
    half: { words: "line, slow D", line: [3, 0.5], width: 1, end: 420, rateD: 0.001 },
    plateau: {
      words: "line, far apart", line: [5, 0.5], width: 0.5, end: 300,
      loss: "saturating", k: 20, optimizer: "descent", rateG: 0.1, rateD: 0.1,
    },
    speeds: { words: "ring, slow G", end: 1050, rateG: 0.002, rateD: 0.003 },
    lost: { words: "ring, fast G", end: 1050, rateD: 0.003 },
  };
  const given = (name) => Object.fromEntries(
    Object.keys(DEFAULTS).map((key) => [key, PRESETS[name][key] ?? DEFAULTS[key]]));

  // The players before their game, how they move, their turns, and what the game is worth.
  const begin = (now) => {
    const { line, width } = PRESETS[now.preset], random = game.stream(now.seed);
    const [world, size, hidden, batch] =
      line ? [game.line(...line, ...SEEN), 1, 16, 32] : [game.ring(), 2, 32, 64];
    const widths = line ? [1, 1] : [2, hidden, hidden, 2];
    const generator = game.fullyConnected(widths, random);
    if (line) generator.weights.set([width, 0]);
    const discriminator = game.fullyConnected([size, hidden, hidden, 1], random);
    const gan = { generator, discriminator };
    const equip = () => {
      gan.generatorOptimizer = game[now.optimizer](generator, now.rateG);
      gan.discriminatorOptimizer = game[now.optimizer](discriminator, now.rateD);
    };
    const turns = () => {
      gan.generatorOptimizer.rate = now.rateG;
      gan.discriminatorOptimizer.rate = now.rateD;
      const loss = now.loss === "saturating" ? game.saturatingLoss : game.nonSaturatingLoss;
      return game.algorithm1(gan, () => world.draw(random, batch),
        () => random.normals(size * batch), now.k, loss);
    };
    equip();
    return { line, generator, equip, turns, judge: () => world.judge(gan) };
  };

  const drawLine = ({ colours, plot }, box, { x, dx, p, q, logits }) => {
    const axes = plot({ ...box, x: SEEN, y: [0, 1.5], xlabel: "x", ylabel: "density; D(x)" });
    const density = (masses) => masses.map((mass) => mass / dx);
    const lost = density(exact.shortfallTerms(p, q, logits));
    axes.area(x, x.map(() => 0), lost, colours.vermilion, 0.6);
    axes.line(x, density(p), colours.blue);
    axes.line(x, density(q), colours.orange);
    // Where hardly any mass lies on either side, the sums know no ratio.
    const best = exact.optimal(p, q).map((answer, i) => (p[i] + q[i] > 1e-12 ? answer : NaN));
    axes.line(x, best, colours.green, { dash: "dashed" });
    axes.line(x, logits.map(sigmoid), colours.green);
  };

  const TURN = exact.grid(0, 2 * Math.PI, 25), SHOWN = game.stream(0).normals(1000);
  const drawRing = ({ context, colours, plot }, box, { near, logits }, generator) => {
    const { EDGE, SIDE } = game, { left, top, width } = box, cell = width / SIDE;
    const axes = plot({ ...box, x: [-EDGE, EDGE], y: [-EDGE, EDGE] });
    logits.forEach((logit, i) => {
      const answer = sigmoid(logit), row = Math.floor(i / SIDE), column = i % SIDE;
      context.globalAlpha = 0.8 * Math.abs(answer - 0.5);
      context.fillStyle = answer > 0.5 ? colours.blue : colours.orange;
      context.fillRect(left + column * cell, top + width - (row + 1) * cell, cell, cell);
    });
    context.globalAlpha = 1;
    game.RING.forEach(([x, y], mode) => {
      const around = [TURN.map((t) => x + Math.cos(t) / 4), TURN.map((t) => y + Math.sin(t) / 4)];
      axes.line(...around, colours.blue, near[mode] < 0.02 ? { dash: "dotted" } : { width: 3 });
    });
    const at = game.output(generator, SHOWN);
    const [xs, ys] = [0, 1].map((axis) => at.filter((_, i) => i % 2 === axis));
    axes.points(xs, ys, colours.orange, 1.6);
  };

  gencomp.figure("game", (figure) => {
    figure.defaults({ preset: "equal", plain: false });
    const now = figure.settings;
    if (!PRESETS[now.preset]) now.preset = "equal";
    figure.defaults(given(now.preset));
    let play, turns, found, iteration, history, ahead = false;
    const end = () => PRESETS[now.preset].end;

    const boxes = (width) => {
      const left = 56, wide = width - 68, side = Math.min(now.plain ? 400 : 280, wide);
      const above = play.line ? { left, top: 26, width: wide, height: 200 }
        : { left, top: 10, width: side, height: side };
      if (now.plain) return [above];
      if (!play.line && width > 540) {
        const beside = { left: side + 106, width: wide - side - 60 };
        return [above, { ...beside, top: 40, height: side - 30 }];
      }
      return [above, { left, top: above.top + above.height + 68, width: wide, height: 120 }];
    };
    const draw = (pen, width) => {
      const [above, below] = boxes(width), { colours } = pen, { at, value, cost } = history;
      if (play.line) drawLine(pen, above, found);
      else drawRing(pen, above, found, play.generator);
      if (!below) return;
      const axes = pen.plot({
        ...below, x: [0, Math.max(end(), iteration)], xlabel: "iteration",
        y: [-2, 0], yticks: [-2, [LEAST, "−log 4"], -1, 0],
        ylabel: play.line ? "nats" : "nats, blurred by N(0, 0.1²)",
      });
      axes.horizontal(LEAST, colours.grey);
      axes.area(at, value, cost, colours.vermilion, 0.3);
      axes.line(at, cost, colours.purple);
      axes.line(at, value, colours.green);
    };

    const judge = (kept) => {
      const seen = play.judge();
      kept.at.push(iteration);
      kept.value.push(seen.value);
      kept.cost.push(seen.cost);
      return seen;
    };
    const look = () => {
      found = judge(history);
      const [b, a] = play.generator.weights;
      const [value, jsd, shortfall] = ["value", "jsd", "shortfall"].map((name) =>
        text(found[name], play.line ? 3 : 2));
      const samples = play.line ? `N(${text(a, 2)}, ${text(Math.abs(b), 2)}²)`
        : `in ${found.modes} of 8 modes`;
      const rest = now.plain ? {} : { value, jsd, shortfall };
      show({ iteration: String(iteration), samples, ...rest });
      const words = `After ${iteration} iterations: samples ${samples}${now.plain ? "."
        : `, V ${value}, JSD ${jsd} of at most 0.693, D's shortfall ${shortfall}.`}`;
      canvas.label(words);
      canvas.redraw();
      figure.mark("iteration", iteration);
      return words;
    };
    const reset = () => {
      ahead = false;
      play = begin(now);
      turns = play.turns();
      iteration = 0;
      history = { at: [], value: [], cost: [] };
      legends.forEach((legend, i) => {
        legend.hidden = i !== (play.line ? 0 : 1);
      });
      return look();
    };
    const advance = () => {
      turns.next();
      iteration += 1;
      return iteration % end() === 0;
    };
    const step = () => {
      if (ahead) reset();
      const moving = player.playing();
      let ended = advance();
      for (let i = 1; moving && !play.line && i < 3 && !ended; i++) ended = advance();
      if (play.line || !moving || ended || iteration % 12 < 3) figure.say(look());
      else canvas.redraw();
      return !ended;
    };
    // Until somebody plays, the end of the game is shown, and nothing that comes before it.
    const lookAhead = (kept) => {
      const until = performance.now() + 10;
      let ended = !ahead;
      while (!ended && performance.now() < until) {
        ended = advance();
        if (iteration % 12 === 0) judge(kept);
      }
      if (!ended) return setTimeout(lookAhead, 0, kept);
      if (ahead) {
        history = kept;
        look();
      }
    };

    const both = now.plain ? []
      : [["V(D, G)", "green"], ["C(G)", "purple"], ["shortfall", "vermilion", "area"]];
    const legends = [
      [["data", "blue"], ["samples", "orange"], ["D", "green"], ["D*", "green", "dashed"]],
      [["modes, thick if found", "blue"], ["samples", "orange", "dot"],
        ["D says real", "blue", "area"], ["D says generated", "orange", "area"]],
    ].map((entries) => figure.legend([...entries, ...both]));
    const canvas = figure.canvas({ label: "", draw, height: (width) => {
      const { top, height } = boxes(width).at(-1);
      return top + height + 40;
    } });
    const player = figure.player({ step, reset: () => figure.say(reset()), playing: now.plain });
    const controls = {};
    const choice = (name, label, options) => {
      const pairs = options.map((option) => (Array.isArray(option) ? option : [option, option]));
      controls[name] = figure.choice({ name, label, options: pairs });
    };
    choice("seed", "Seed", [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    if (!now.plain) {
      choice("preset", "Game", Object.entries(PRESETS).map(([name, { words }]) => [name, words]));
      choice("loss", "G's loss", ["saturating", "non-saturating"]);
      choice("k", "k", [1, 2, 5, 10, 20]);
      choice("optimizer", "Optimiser", [["adam", "Adam"], ["descent", "plain descent"]]);
      choice("rateG", "G's rate", RATES);
      choice("rateD", "D's rate", RATES);
    }
    const rows = [["iteration", "iteration"], ["samples", "samples"],
      ["value", "V(D, G)"], ["jsd", "JSD"], ["shortfall", "shortfall"]];
    const show = figure.values(now.plain ? rows.slice(0, 2) : rows);

    const set = (values) => {
      for (const [name, value] of Object.entries(values)) {
        now[name] = value;
        controls[name]?.set(value);
      }
    };
    figure.changed((name) => {
      if (name === "preset" || name === "seed") {
        if (name === "preset") set({ ...given(now.preset), seed: now.seed });
        player.pause();
        return figure.say(reset());
      }
      if (name === "optimizer") {
        const usual = now.optimizer === "adam" ? 0.01 : 0.1;
        set({ rateG: usual, rateD: usual });
        play.equip();
      }
      if (ahead && iteration < end()) return figure.say(reset());
      ahead = false;
      turns = play.turns();
    });
    reset();
    ahead = !figure.begin;  // a figure that begins by itself shows its end soon enough
    lookAhead(structuredClone(history));
  });

  gencomp.play = { PRESETS, given, begin };
})();
