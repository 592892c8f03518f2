"use strict";
skinbench.start();
