"use strict";
// Before anything is drawn: only the first view shows until views.js knows which one is asked for.
document.documentElement.classList.add("scripted");
