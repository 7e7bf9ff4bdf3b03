// Loads what the live figures of a page need, each when it comes near the view.
"use strict";

globalThis.gencomp ??= {};

(() => {
  const here = document.currentScript?.src.replace(/[^/]*$/, "");
  const loading = new Map();

  // Pages opened from a disk and frames without an origin may load classic scripts and nothing else.
  const load = (name) => {
    if (!loading.has(name)) {
      loading.set(name, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = `${here}${name}.js`;
        script.onload = resolve;
        script.onerror = () => {
          loading.delete(name);
          script.remove();
          reject(new Error(`${name}.js could not be loaded`));
        };
        document.head.append(script);
      }));
    }
    return loading.get(name);
  };

  gencomp.loadModel = (name) => (gencomp.models?.[name] ? null : load(`models/${name}`));

  const begin = async (element) => {
    try {
      for (const name of ["frame", ...element.dataset.scripts.split(" ")]) await load(name);
      gencomp.start(element);
    } catch (error) {
      element.dataset.state = "failed";
      console.error(error);
    }
  };

  const find = () => {
    const near = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        begin(target);
      }
    }, { rootMargin: "100%" });
    for (const element of document.querySelectorAll(".gencomp-live")) {
      element.dataset.state = "poster";
      near.observe(element);
    }
  };

  if (here) document.addEventListener("DOMContentLoaded", find);
})();
