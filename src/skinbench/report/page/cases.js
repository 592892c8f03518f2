"use strict";
// Cases of the gallery by image id, for views that name images: their picture, and the way there.
skinbench.cases = (() => {
  let found = null;

  function read() {
    found = new Map();
    const source = document.getElementById("data-gallery");
    if (!source) return;
    const pictures = JSON.parse(document.getElementById("data-gallery-pictures")?.textContent || "{}");
    const data = JSON.parse(source.textContent);
    for (const [dataset, images] of Object.entries(data.others)) {
      for (const [id, key] of Object.entries(images)) found.set(`${dataset}\n${id}`, { picture: pictures[key] || "", address: "" });
    }
    data.sets.forEach((set, n) => {
      set.cases.forEach((item, index) => {
        const values = new URLSearchParams([...(n ? [["set", String(n)]] : []), ["case", String(index + 1)]]);
        found.set(`${set.dataset}\n${item.id}`, { picture: pictures[item.picture] || "", address: `#gallery?${values}` });
      });
    });
  }

  /**
   * {picture: address of the image or "", address: of the case or "" where it is none}, or
   * undefined where the page has neither.
   */
  return (dataset, id) => {
    if (!found) read();
    return found.get(`${dataset}\n${id}`);
  };
})();
