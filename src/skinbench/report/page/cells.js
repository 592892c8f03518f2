"use strict";
// Where a table names images that were got wrong, they get their picture, and the way to their case.
(() => {
  function picture(head, dataset) {
    const known = skinbench.cases(dataset, head.textContent.trim());
    if (!known) return;
    const link = document.createElement(known.address ? "a" : "span");
    if (known.address) link.href = known.address;
    link.className = "known";
    if (known.picture) {
      const image = document.createElement("img");
      Object.assign(image, { src: known.picture, alt: "", width: 44, height: 44 });
      link.append(image);
    }
    link.append(...head.childNodes);
    head.append(link);
  }

  /** Once for each list of a view; `of` tells the dataset of a line. */
  function linked(section, of) {
    for (const list of section.querySelectorAll(".hardest:not(.linked)")) {
      list.classList.add("linked");
      for (const row of list.querySelectorAll("tbody tr")) picture(row.cells[0], of(row));
    }
  }

  skinbench.view("cell-*", { show: (_, section) => linked(section, () => section.dataset.dataset) });
  skinbench.view("weak", { show: (_, section) => linked(section, (row) => row.cells[1].textContent.split(", split ")[0]) });
})();
