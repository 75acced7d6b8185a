"use strict";
// The page is whole without this: it adds a slider to each group of outputs, and sorting to the tables of images.

const make = (name, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
};

for (const figure of document.querySelectorAll("figure.crops")) {
  const images = [...figure.querySelectorAll("img[data-name]")];
  if (images.length < 2) continue;
  const names = images.map((image) => image.dataset.name);
  const chosen = (word, index) => {
    const select = make("select", {}, ...names.map((name, number) => make("option", { value: number, textContent: name })));
    select.value = index;
    return [select, make("label", {}, `${word} image`, select)];
  };
  const [left, leftLabel] = chosen("Left", figure.dataset.first);
  const [right, rightLabel] = chosen("Right", figure.dataset.second);
  const over = make("img", { className: "over", draggable: false });
  const under = make("img", { draggable: false });
  const leftTag = make("span", { className: "tag left" });
  const rightTag = make("span", { className: "tag right" });
  const stage = make("div", { className: "stage" }, under, over, make("span", { className: "handle" }), leftTag, rightTag);
  const range = make("input", { type: "range", min: 0, max: 100, step: 1, value: 50 });
  const rangeLabel = make("label", { className: "divide" }, "Drag the divider, or use the arrow keys here", range);

  const move = () => {
    stage.style.setProperty("--at", `${range.value}%`);
    const share = `${range.value} % ${names[left.value]}, ${100 - range.value} % ${names[right.value]}`;
    range.setAttribute("aria-valuetext", share);
  };
  const choose = () => {
    for (const [image, select, tag] of [[over, left, leftTag], [under, right, rightTag]]) {
      const source = images[select.value];
      Object.assign(image, { src: source.src, alt: source.alt, width: source.width, height: source.height });
      tag.textContent = names[select.value];
    }
    move();
  };
  const follow = (event) => {
    const box = stage.getBoundingClientRect();
    range.value = (100 * (event.clientX - box.left)) / box.width;
    move();
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    follow(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) follow(event);
  });
  range.addEventListener("input", move);
  left.addEventListener("change", choose);
  right.addEventListener("change", choose);
  choose();
  const controls = make("div", { className: "controls" }, rangeLabel, leftLabel, rightLabel);
  figure.querySelector("figcaption").before(make("div", { className: "compare" }, stage, controls));
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.querySelectorAll("thead th")];
  const body = table.tBodies[0];
  const value = (row, column) => {
    const cell = row.cells[column];
    return column === 0 ? cell.textContent : Number(cell.dataset.value ?? NaN);
  };
  heads.forEach((head, column) => {
    const button = make("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const rows = [...body.rows].map((row) => [value(row, column), row]);
      // What has no figure stays last either way.
      const isNothing = (one) => typeof one === "number" && Number.isNaN(one);
      rows.sort(([a], [b]) => isNothing(a) - isNothing(b) || sign * (a > b ? 1 : a < b ? -1 : 0) || 0);
      body.append(...rows.map(([, row]) => row));
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    });
  });
}
