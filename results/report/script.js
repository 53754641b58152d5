"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const make = (tag, text, parent, attributes = {}) => {
    const element = tag.startsWith("svg:")
      ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
      : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== "") element.textContent = text;
    if (parent) parent.append(element);
    return element;
  };
  for (const element of all(".needs-script")) element.hidden = false;

  // Theme: that of the system until the reader chooses.
  const toggle = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const remembered = (value) => {
    try { return value ? localStorage.setItem("theme", value) : localStorage.getItem("theme"); } catch { return null; }
  };
  const isDark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const named = () => { toggle.textContent = isDark() ? "Light" : "Dark"; toggle.ariaLabel = `${toggle.textContent} theme`; };
  if (["dark", "light"].includes(remembered())) root.dataset.theme = remembered();
  toggle.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; remembered(root.dataset.theme); named(); });
  system.addEventListener("change", named);
  named();

  // Methods: what is unchecked goes from every table, chart and picture; pointing at one dims the others in charts.
  const rules = make("style", "", document.head);
  const boxes = all("#methods input");
  const show = (pointed) => {
    const hidden = boxes.filter((box) => !box.checked).map((box) => `.${box.value} { display: none; }`);
    const dimmed = pointed ? [`figure .m:not(.${pointed}) { opacity: 0.13; }`] : [];
    rules.textContent = [...hidden, ...dimmed].join("\n");
  };
  for (const box of boxes) {
    box.addEventListener("change", () => show());
    box.parentElement.addEventListener("pointerenter", () => show(box.checked ? box.value : ""));
    box.parentElement.addEventListener("pointerleave", () => show());
  }

  // Sorting: numbers from high to low at first, names from A; what has no value comes last either way.
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
    const text = cell.textContent.trim();
    return cell.classList.contains("number") || text === "" ? null : text;
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
  for (const table of all("table.sortable")) {
    const heads = all("thead th", table);
    const body = table.tBodies[0];
    const original = [...body.rows];
    heads.forEach((head, column) => {
      const button = make("button", "", null, { type: "button" });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const first = head.classList.contains("number") ? "descending" : "ascending";
        const second = first === "ascending" ? "descending" : "ascending";
        const before = head.getAttribute("aria-sort");
        const order = before === first ? second : before === second ? null : first;
        for (const other of heads) other.removeAttribute("aria-sort");
        if (order) head.setAttribute("aria-sort", order);
        const sign = order === "descending" ? -1 : 1;
        const sorted = !order ? original : [...original].sort((one, other) => {
          const [a, b] = [keyOf(one, column), keyOf(other, column)];
          return a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b);
        });
        body.append(...sorted);
      });
    });
  }

  // Filtering: every word must be in the row.
  for (const tools of all(".tools")) {
    const rows = [...tools.parentElement.querySelector("tbody").rows];
    const texts = rows.map((row) => [...row.cells].map((cell) => cell.textContent.trim()).join(" ").toLowerCase());
    const input = tools.querySelector("input");
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row, i) => { row.hidden = !words.every((word) => texts[i].includes(word)); });
      const left = rows.filter((row) => !row.hidden).length;
      tools.querySelector("output").textContent = words.length ? `${left} of ${rows.length} rows` : "";
    });
  }

  // Where a number comes from: its position, and each record in full, in a dialog named by the address.
  const dialog = document.getElementById("detail");
  const bodyOf = dialog.querySelector(".body");
  let known = null;
  const data = () => (known ??= JSON.parse(document.getElementById("data").textContent));
  const whole = (value) => {
    if (Array.isArray(value)) return value.map(whole);
    if (value === null || typeof value !== "object") return value;
    if ("$ref" in value) return whole(data().parts[value.$ref]);
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, whole(inner)]));
  };
  const facts = (pairs) => {
    const list = make("dl", "", bodyOf, { class: "facts" });
    for (const [term, text] of pairs) if (text !== "" && text != null) { make("dt", term, list); make("dd", String(text), list); }
  };
  const json = (title, value) => {
    const details = make("details", "", bodyOf);
    make("summary", title, details);
    make("pre", JSON.stringify(value, null, 2), details, { tabindex: "0" });
  };
  const curve = (points) => {
    const [w, h, left, bottom] = [440, 130, 42, 22];
    const svg = make("svg:svg", "", bodyOf, { viewBox: `0 0 ${w} ${h}`, class: "spark", role: "img", "aria-label": "Accuracy by epoch of this record" });
    const values = points.map((point) => point[1]);
    const [low, high, last] = [Math.min(...values), Math.max(...values), points.at(-1)[0]];
    const x = (epoch) => left + (epoch / last) * (w - left - 6);
    const y = (value) => 8 + (1 - (value - low) / (high - low || 1)) * (h - bottom - 16);
    for (const value of [low, high]) {
      make("svg:line", "", svg, { x1: left, x2: w, y1: y(value), y2: y(value) });
      make("svg:text", (100 * value).toFixed(1), svg, { x: left - 6, y: y(value) + 4, "text-anchor": "end" });
    }
    make("svg:polyline", "", svg, { points: points.map(([epoch, value]) => `${x(epoch).toFixed(1)},${y(value).toFixed(1)}`).join(" ") });
    make("svg:text", `epoch ${last}`, svg, { x: w, y: h - 4, "text-anchor": "end" });
  };
  const showPosition = (article) => {
    document.getElementById("detail-title").textContent = article.dataset.title;
    const copy = article.cloneNode(true);
    for (const element of [copy, ...all("[id]", copy)]) element.removeAttribute("id");
    copy.removeAttribute("aria-labelledby");
    copy.className = "origin";
    bodyOf.replaceChildren(copy);
  };
  const showRecord = (key, record) => {
    const { cell, run } = record;
    const made = run.provenance || {};
    const git = made.git;
    document.getElementById("detail-title").textContent = `${cell.dataset}, ${cell.method}, ${cell.ipc ? `IPC ${cell.ipc}` : "all images"}, ${cell.arch}`;
    bodyOf.replaceChildren();
    facts([
      ["Record", key],
      ["Seeds", `distilled set ${cell.seed}, classifier ${cell.eval_seed}`],
      ["Judged by", `${cell.protocol} on ${cell.split}, ${record.n_images} images`],
      ["Outcome", record.outcome.replaceAll("_", " ") + (record.reason ? `: ${record.reason}` : "")],
      ["Accuracy", record.curve.length ? `${(100 * record.curve.at(-1)[1]).toFixed(2)} % at the last epoch, ${(100 * Math.max(...record.curve.map((p) => p[1]))).toFixed(2)} % at best` : ""],
      ["Started", run.started],
      ["Finished", run.finished],
      ["Seconds", Object.entries(run.seconds || {}).map(([kind, s]) => `${kind} ${s.toPrecision(3)}`).join(", ")],
      ["Commit", git ? git.commit + (git.dirty ? ", with uncommitted changes" : "") : "not run from a checkout"],
      ["Versions", [`Python ${made.python ?? "?"}`, ...Object.entries(made.packages || {}).map((pair) => pair.join(" "))].join(", ")],
      ["Machine", [made.processor, made.platform, made.cores && `${made.cores} cores`].filter(Boolean).join(", ")],
    ]);
    if (record.curve.length > 1) curve(record.curve);
    for (const [stage, task] of Object.entries(record.config)) json(`What the stage ${stage} read`, task);
    json("The run as recorded", run);
    const back = make("p", "", bodyOf);
    make("a", "All cells of this position", back, { href: `#${record.position}` });
  };
  const follow = () => {
    const name = decodeURIComponent(location.hash.slice(1));
    const article = /^p\d+$/.test(name) ? document.getElementById(name) : null;
    const key = name.startsWith("r-") ? name.slice(2) : "";
    if (article) showPosition(article);
    else if (key && Object.hasOwn(data().records, key)) showRecord(key, whole(data().records[key]));
    else { if (dialog.open) dialog.close(); return; }
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  };
  const away = () => history.replaceState(null, "", location.pathname + location.search);
  dialog.addEventListener("close", () => { if (/^#(p\d+|r-)/.test(location.hash)) away(); });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.querySelector(".head button").addEventListener("click", () => dialog.close());
  addEventListener("hashchange", follow);
  addEventListener("popstate", follow);
  document.addEventListener("click", (event) => { // the page stays where it is behind the dialog
    const link = event.target.closest('a[href^="#p"], a[href^="#r-"]');
    if (!link || !/^#(p\d+|r-)/.test(link.hash) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.pushState(null, "", link.hash);
    follow();
  });
  follow();
})();
