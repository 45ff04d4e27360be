/* Copyright (c) 2026, bulwark.docker contributors
   SPDX-License-Identifier: GPL-3.0-or-later */
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const text = (place) => data.strings[place];
  const byName = new Map(data.hosts.map((host, place) => [host.shown, place]));
  const WORDS = {
    pass: "passed", fail: "failed", waived: "waived", manual: "to check", not_applicable: "not applicable",
    blocked: "blocked", not_blocked: "got through", error: "error",
  };
  const BAD = new Set(["fail", "not_blocked", "error"]);
  const SEVERITIES = ["critical", "high", "medium", "low"];
  const CHOICES = [
    ["open", "Open", (finding) => BAD.has(finding.verdict)],
    ["changed", "Changed", (finding) => finding.change !== ""],
    ["manual", "To check", (finding) => finding.verdict === "manual"],
    ["waived", "Waived", (finding) => finding.verdict === "waived"],
    ["good", "Passed", (finding) => finding.verdict === "pass" || finding.verdict === "blocked"],
    ["other", "Not applicable", (finding) => finding.verdict === "not_applicable"],
    ["all", "All", () => true],
  ];

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== ""));
    return element;
  }

  /* One row of a host's table of findings, with what is the same on all hosts beside it. */
  function findingOf(row) {
    const [control, engine, verdict, before, change, configured, effective, reason, remedy, waiver, proof, ...evidence] = row;
    return {
      ...data.controls[control], key: control, engine: text(engine), verdict: text(verdict), before: text(before),
      change: text(change), configured: text(configured), effective: text(effective), reason: text(reason),
      remedy: text(remedy), waiver: text(waiver), proof: text(proof), evidence: evidence.map(text),
    };
  }

  const table = document.getElementById("fleet");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const find = document.getElementById("find");
  const which = document.getElementById("which");
  const count = document.getElementById("count");
  const chosen = document.getElementById("chosen");
  const overview = document.getElementById("overview");
  const place = document.getElementById("hosts");
  const pageTitle = document.title;
  const searched = new Map(rows.map((row) => [row, (row.cells[0].textContent + " " + row.cells[1].textContent).toLowerCase()]));
  let order = "worst first";
  let onlyOpen = null;

  function value(row, cell, kind) {
    return kind === "number" ? Number(row.cells[cell].dataset.value) : row.cells[cell].textContent.trim();
  }

  function sortBy(head) {
    const kind = head.dataset.kind;
    const first = kind === "number" ? "descending" : "ascending";
    const other = kind === "number" ? "ascending" : "descending";
    const direction = head.getAttribute("aria-sort") === first ? other : first;
    heads.forEach((cell) => cell.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", direction);
    const cell = head.cellIndex;
    const sign = direction === "ascending" ? 1 : -1;
    const sorted = [...rows].sort((one, two) => {
      const left = value(one, cell, kind);
      const right = value(two, cell, kind);
      const apart = kind === "number" ? left - right : left.localeCompare(right, undefined, { numeric: true });
      return sign * apart || Number(one.dataset.place) - Number(two.dataset.place);
    });
    body.append(...sorted);
    order = "sorted by " + head.textContent.trim().toLowerCase() + ", " + direction;
    filter();
  }

  function hasOpen(host, key) {
    return host.findings.some((row) => row[0] === key && BAD.has(text(row[2])));
  }

  function filter() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = words.every((word) => searched.get(row).includes(word))
        && (!which.value || row.dataset.tags.split(" ").includes(which.value))
        && (onlyOpen === null || hasOpen(data.hosts[Number(row.dataset.place)], onlyOpen));
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    const all = rows.length === 1 ? "1 host" : rows.length + " hosts";
    count.textContent = (shown === rows.length ? all : shown + " of " + all) + ", " + order;
  }

  function pill(verdict) {
    return make("span", { class: "pill verdict " + verdict }, WORDS[verdict] || verdict);
  }

  function evidenceList(lines) {
    return lines.length ? make("pre", {}, lines.join("\n")) : "";
  }

  function setting(finding) {
    if (!finding.variable) return finding.role ? make("span", {}, "role ", make("code", {}, finding.role)) : "";
    return make("span", {}, make("code", {}, finding.variable), finding.role ? " of the role " + finding.role : "");
  }

  function drawFinding(finding, manyEngines) {
    const probe = finding.kind === "probe";
    const was = finding.before && finding.before !== finding.verdict ? "was: " + (WORDS[finding.before] || finding.before) : "";
    const extra = make("span", { class: "extra" },
      was ? make("span", { class: finding.change || "note" }, was) : "",
      manyEngines && finding.engine ? make("span", {}, finding.engine) : "",
      BAD.has(finding.verdict) ? make("span", { class: "severity " + finding.severity }, finding.severity) : "");
    const facts = [
      ["Why", finding.reason], ["Configured", finding.configured && make("code", {}, finding.configured)],
      ["In force", finding.effective && make("code", {}, finding.effective)], ["Evidence", evidenceList(finding.evidence)],
      ["Control", finding.proof], ["Waiver", finding.waiver], ["What to do", finding.remedy], ["Setting", setting(finding)],
      ["Engine", finding.engine], ["Level", finding.level && finding.level + (finding.automated === false ? ", judged by a person" : "")],
      ["CIS", finding.cis], ["Id", make("code", {}, finding.id)],
    ];
    const list = make("dl", {});
    for (const [name, content] of facts) {
      if (content) list.append(make("dt", {}, name), make("dd", {}, content));
    }
    return make("details", { class: probe ? "probe" : "control" },
      make("summary", {}, pill(finding.verdict), probe ? "" : make("span", { class: "id" }, finding.number || "own"),
        make("span", { class: "name" }, finding.title), extra),
      make("div", { class: "more" }, list));
  }

  function drawGroups(findings, manyEngines) {
    const groups = new Map(data.sections.map(([key, title]) => [key, { title, findings: [] }]));
    for (const finding of findings) groups.get(finding.group).findings.push(finding);
    return [...groups.values()].filter((group) => group.findings.length).map((group) =>
      make("section", { class: "group" }, make("h3", {}, group.title + " ", make("span", { class: "note" }, String(group.findings.length))),
        make("div", { class: "findings" }, ...group.findings.map((finding) => drawFinding(finding, manyEngines)))));
  }

  function drawHost(index) {
    const host = data.hosts[index];
    const findings = host.findings.map(findingOf);
    const title = make("h2", { tabindex: "-1", id: "host-" + index }, host.shown);
    const part = make("article", { class: "host", "aria-labelledby": title.id });
    const engines = make("ul", { class: "engines" }, ...host.engines.map((line) => make("li", {}, line)));
    part.append(make("header", {}, title, host.address ? make("p", { class: "note" }, host.address) : "",
      host.engines.length ? engines : "", host.message ? make("p", { class: "message" }, host.state + ": " + host.message) : ""));
    const content = make("div", {});
    const choices = make("div", { class: "choices", role: "group", "aria-label": "Which findings of " + host.shown });
    const status = make("p", { class: "hidden", role: "status" });
    const show = (button, fits) => {
      [...choices.children].forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
      const fitting = findings.filter(fits);
      if (button.dataset.choice === "open") fitting.sort((one, two) => SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(two.severity));
      content.replaceChildren(...drawGroups(fitting, host.engines.length > 1));
      status.textContent = fitting.length + " of " + findings.length + " findings";
    };
    for (const [name, label, fits] of CHOICES) {
      const number = findings.filter(fits).length;
      if (!number) continue;
      const button = make("button", { type: "button", "data-choice": name, "aria-pressed": "false" }, label + " " + number);
      button.addEventListener("click", () => show(button, fits));
      choices.append(button);
    }
    if (findings.length) {
      part.append(choices, status, content);
      choices.children[0].click();
    }
    return part;
  }

  function pathLinks(index) {
    const shown = [...body.rows].filter((row) => !row.hidden).map((row) => Number(row.dataset.place));
    const at = shown.indexOf(index);
    const link = (target, words) => target === undefined ? "" : make("a", { href: "#host=" + encodeURIComponent(data.hosts[target].shown) }, words);
    return make("nav", { class: "path", "aria-label": "Hosts" }, make("a", { href: "#" }, "All hosts"),
      at > 0 ? link(shown[at - 1], "Previous: " + data.hosts[shown[at - 1]].shown) : "",
      at >= 0 ? link(shown[at + 1], at + 1 < shown.length ? "Next: " + data.hosts[shown[at + 1]].shown : "") : "");
  }

  function decoded(word) {
    try {
      return decodeURIComponent(word);
    } catch (error) {
      return "";
    }
  }

  /* The part of the address behind "#" says what is shown, so that a view can be linked to. */
  function route(first) {
    const [verb, ...rest] = location.hash.slice(1).split("=");
    if (verb === "main" && !first) return;
    const name = decoded(rest.join("="));
    const index = verb === "host" ? byName.get(name) : undefined;
    place.replaceChildren();
    document.body.classList.toggle("only", index !== undefined);
    overview.hidden = index !== undefined;
    const open = verb === "open" ? data.controls.findIndex((control) => control.kind + "/" + control.id === name) : -1;
    onlyOpen = open < 0 ? null : open;
    chosen.hidden = open < 0;
    if (open >= 0) {
      chosen.replaceChildren("Hosts on which this is open: " + data.controls[open].title + " ", make("a", { href: "#" }, "Show all"));
    }
    filter();
    if (index !== undefined) {
      place.append(pathLinks(index), drawHost(index));
      document.title = data.hosts[index].shown + " – " + pageTitle;
      document.getElementById("host-" + index).focus({ preventScroll: true });
      window.scrollTo(0, 0);
      return;
    }
    document.title = pageTitle;
    if (data.hosts.length === 1 || verb === "all") place.append(...data.hosts.map((_host, at) => drawHost(at)));
    if (open >= 0) chosen.scrollIntoView({ block: "center" });
    if (!first && verb === "" && document.activeElement === document.body) document.getElementById("main").focus({ preventScroll: true });
  }

  heads.forEach((head) => head.firstElementChild.addEventListener("click", () => sortBy(head)));
  find.addEventListener("input", filter);
  which.addEventListener("change", filter);
  window.addEventListener("hashchange", () => route(false));
  window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
  route(true);
})();
