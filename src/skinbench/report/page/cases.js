"use strict";
// Cases of the gallery by image id, for views that name images: their picture, and the way there.
skinbench.cases = (() => {
  let found = null;

  function read() {
    found = new Map();
    const source = document.getElementById("data-gallery");
    if (!source) return;
    const pictures = JSON.parse(document.getElementById("data-gallery-pictures")?.textContent || "{}");
    JSON.parse(source.textContent).sets.forEach((set, n) => {
      set.cases.forEach((item, index) => {
        const values = new URLSearchParams([...(n ? [["set", String(n)]] : []), ["case", String(index + 1)]]);
        found.set(`${set.dataset}\n${item.id}`, { picture: pictures[item.picture] || "", address: `#gallery?${values}` });
      });
    });
  }

  /** {picture: address of the image or "", address: of the case}, or undefined where it is none. */
  return (dataset, id) => {
    if (!found) read();
    return found.get(`${dataset}\n${id}`);
  };
})();
