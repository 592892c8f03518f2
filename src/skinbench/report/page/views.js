"use strict";
// The router. The address says which view is shown and in which state: #VIEW, #VIEW?key=value,
// or #ELEMENT of something inside a view. Without this script every view is visible.
window.skinbench = (() => {
  const FIRST = "overview";
  const sections = new Map([...document.querySelectorAll("section.view")].map((s) => [s.id, s]));
  const makers = []; // [pattern, {show}] of the parts, in order
  const last = new Map(); // view -> the address that it was left with
  const scrolled = new Map(); // view -> where it was scrolled to
  const title = document.title;
  let shown = "";
  let followed = false; // a link was followed, not the browser's back and forward

  function parse(hash) {
    const text = hash.replace(/^#/, "");
    const cut = text.indexOf("?");
    const name = cut < 0 ? text : text.slice(0, cut);
    let id = name;
    try {
      id = decodeURIComponent(name);
    } catch {
      id = name;
    }
    return { id, parameters: new Map(new URLSearchParams(cut < 0 ? "" : text.slice(cut + 1))) };
  }

  function address(view, parameters) {
    const text = new URLSearchParams([...parameters]).toString();
    return text ? `#${view}?${text}` : `#${view}`;
  }

  function viewOf(id) {
    if (sections.has(id)) return { view: id, element: null };
    const element = id ? document.getElementById(id) : null;
    const section = element ? element.closest("section.view") : null;
    return section ? { view: section.id, element } : { view: FIRST, element: null };
  }

  const state = {
    /** The parameters in the address, as a Map of text. */
    read: () => parse(location.hash).parameters,
    /**
     * Sets the keys given and keeps the others; null or "" takes a key away. What is opened is a
     * step that the browser's Back undoes (`push`); sorting, filtering and turning pages are none.
     */
    write(values, { push = false } = {}) {
      const parameters = state.read();
      for (const [key, value] of Object.entries(values)) {
        if (value === null || value === undefined || value === "") parameters.delete(key);
        else parameters.set(key, String(value));
      }
      const here = address(shown || FIRST, parameters);
      last.set(shown, here);
      if (here === location.hash) return;
      if (push) history.pushState(null, "", here);
      else history.replaceState(history.state, "", here);
    },
  };

  function tell(section, parameters) {
    for (const [pattern, part] of makers) {
      const fits = pattern.endsWith("*")
        ? section.id.startsWith(pattern.slice(0, -1))
        : section.id === pattern;
      if (fits && part.show) part.show(parameters, section);
    }
  }

  function mark(view) {
    for (const link of document.querySelectorAll("nav.toc a")) {
      const here = link.hash === `#${view}` || link.dataset.views?.split(" ").some((v) => view.startsWith(v));
      if (here) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
      if (here) link.parentElement.parentElement.scrollLeft = link.offsetLeft - 40;
    }
  }

  function go() {
    const asked = parse(location.hash);
    const { view, element } = viewOf(asked.id);
    const changed = view !== shown;
    if (changed && shown) scrolled.set(shown, window.scrollY);
    if (changed && !element && !asked.parameters.size && last.has(view)) {
      history.replaceState(history.state, "", last.get(view)); // as the reader left it
    }
    for (const [id, section] of sections) section.hidden = id !== view;
    document.documentElement.dataset.view = view;
    document.documentElement.classList.add("routed");
    shown = view;
    last.set(view, element ? `#${view}` : location.hash || `#${view}`);
    const section = sections.get(view);
    mark(view);
    tell(section, element ? new Map() : state.read());
    if (changed) {
      const name = section.dataset.title;
      document.title = view === FIRST || !name ? title : `${name} · ${title}`;
    }
    place(section, element, changed);
    followed = false;
  }

  /** Scrolls to what was asked for, and puts the keyboard there. */
  function place(section, element, changed) {
    if (element) {
      for (let box = element; box; box = box.parentElement) if (box.tagName === "DETAILS") box.open = true;
      element.scrollIntoView({ behavior: "instant" });
    } else if (changed && followed) {
      window.scrollTo({ top: 0, behavior: "instant" });
    } else if (changed && scrolled.has(section.id)) {
      window.scrollTo({ top: scrolled.get(section.id), behavior: "instant" });
    }
    if (changed && followed) {
      const head = element || section.querySelector("h1, h2") || section;
      if (!head.hasAttribute("tabindex")) head.tabIndex = -1;
      head.focus({ preventScroll: true });
    }
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#']");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    followed = true;
    if (link.hash === location.hash && link.hash !== "#main") {
      event.preventDefault();
      window.scrollTo({ top: 0 });
      followed = false;
    } else if (link.hash === "#main") {
      event.preventDefault();
      document.getElementById("main").focus();
      followed = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || shown === FIRST) return;
    if (event.target.closest?.("input, select, textarea, dialog, [popover]")) return;
    followed = true;
    location.hash = `#${FIRST}`;
  });
  window.addEventListener("hashchange", go);
  if ("scrollRestoration" in history) history.scrollRestoration = "manual";

  return {
    state,
    /**
     * Registers a part: show(parameters, section) is called each time that its view is shown, or
     * shown in another state. A name that ends with * stands for every view that begins so.
     */
    view(name, part) {
      makers.push([name, part]);
      if (shown && part.show) {
        const section = sections.get(shown);
        const fits = name.endsWith("*") ? shown.startsWith(name.slice(0, -1)) : shown === name;
        if (fits) part.show(state.read(), section);
      }
    },
    /** Shows a view in a state, as a link would. */
    open(view, values = {}) {
      followed = true;
      location.hash = address(view, new Map(Object.entries(values)));
    },
    /** Called once by the page's last line. */
    start: go,
  };
})();
