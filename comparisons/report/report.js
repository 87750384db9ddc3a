"use strict";
// A click on a column's head sorts its table: ascending, descending, as it was. Without this the tables stand as they are.
const collator = new Intl.Collator("en", { numeric: true });

function compare(column, isNumber, sign) {
  return (one, other) => {
    const a = one.cells[column], b = other.cells[column];
    if (!isNumber) return sign * collator.compare(a.textContent, b.textContent);
    const x = a.dataset.value, y = b.dataset.value;
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined); // cells without a number last
    return sign * (Number(x) - Number(y));
  };
}

function sort(table, original, head, column) {
  const next = { ascending: "descending", descending: null }[head.getAttribute("aria-sort")];
  const direction = next === undefined ? "ascending" : next;
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  const rows = [...original];
  if (direction !== null) {
    head.setAttribute("aria-sort", direction);
    rows.sort(compare(column, head.classList.contains("number"), direction === "ascending" ? 1 : -1));
  }
  table.tBodies[0].append(...rows);
}

for (const table of document.querySelectorAll("table")) {
  const original = [...table.tBodies[0].rows];
  if (original.length < 2) continue;
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Sort by this column";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(table, original, head, column));
  });
}
if (window.innerWidth < 640) document.querySelector("nav details").open = false;
