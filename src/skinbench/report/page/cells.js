"use strict";
// On a cell's page, images that are cases of the gallery get their picture and a link.
skinbench.view("cell-*", {
  show(_, section) {
    for (const table of section.querySelectorAll(".hardest:not(.linked) table")) {
      table.closest(".hardest").classList.add("linked");
      for (const head of table.querySelectorAll("tbody th")) {
        const known = skinbench.cases(section.dataset.dataset, head.textContent.trim());
        if (!known) continue;
        const link = document.createElement("a");
        link.href = known.address;
        if (known.picture) {
          const picture = document.createElement("img");
          Object.assign(picture, { src: known.picture, alt: "", width: 44, height: 44 });
          link.append(picture);
        }
        link.append(...head.childNodes);
        head.append(link);
      }
    }
  },
});
