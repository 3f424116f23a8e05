"use strict";
const byId = (id) => document.getElementById(id);
const [dialog, stage, under, over, split, divider] = ["enlarged", "stage", "under", "over", "split", "divider"].map(byId);

// All is in the page already: directions of rows of cells, and each cell's title and picture.
const sheets = [...document.querySelectorAll(".shots")].map((list) => ({
  direction: list.dataset.direction,
  rows: [...list.children].map((row) =>
    [...row.children].map((button) => ({ button, title: button.title, image: button.querySelector("img") })),
  ),
}));
const at = { sheet: 0, row: 0, column: 1, against: 0 };

function slide() {
  const share = Number(split.value);
  over.style.clipPath = `inset(0 0 0 ${share}%)`;
  divider.style.left = `${share}%`;
  const row = sheets[at.sheet].rows[at.row];
  split.setAttribute("aria-valuetext", `${share} % ${row[at.against].title}, ${100 - share} % ${row[at.column].title}`);
}

function show() {
  const { direction, rows } = sheets[at.sheet];
  const row = rows[at.row];
  const [before, after] = [row[at.against], row[at.column]];
  byId("what").textContent = `${direction}: ${after.title}`;
  under.src = before.image.src;
  over.src = after.image.src;
  under.alt = before.image.alt;
  over.alt = after.image.alt;
  byId("left").textContent = before.title;
  byId("right").textContent = after.title;
  split.setAttribute("aria-label", `Slider between ${before.title} and ${after.title}`);
  byId("place").textContent = `${at.row + 1} of ${rows.length}`;
  // Not disabled: that would take the focus from the button that was pressed, and the keys with it.
  byId("previous").setAttribute("aria-disabled", String(at.row === 0));
  byId("next").setAttribute("aria-disabled", String(at.row === rows.length - 1));
  [...byId("columns").children].forEach((button, index) => {
    button.setAttribute("aria-pressed", String(index + 1 === at.column));
  });
  byId("against").value = at.against;
  slide();
}

function element(name, text, attributes) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function open(sheet, row, column) {
  const titles = sheets[sheet].rows[row].map((cell) => cell.title);
  // The input against itself shows nothing: it opens the first translation, which is behind the truth if there is one.
  Object.assign(at, { sheet, row, column: column || titles.length - modelCount, against: 0 });
  byId("columns").replaceChildren(
    ...titles.slice(1).map((title, index) => {
      const button = element("button", title, { type: "button", title });
      button.addEventListener("click", () => choose({ column: index + 1 }));
      return button;
    }),
  );
  byId("against").replaceChildren(...titles.map((title, index) => element("option", title, { value: index })));
  split.value = 50;
  show();
  dialog.showModal();
}

/** Goes to another row or column, as far as there are some. */
function choose(wanted) {
  const rows = sheets[at.sheet].rows;
  Object.assign(at, wanted);
  at.row = Math.max(0, Math.min(rows.length - 1, at.row));
  at.column = Math.max(1, Math.min(rows[0].length - 1, at.column));
  show();
}

const modelCount = Number(document.querySelector("main").dataset.models);
sheets.forEach(({ rows }, sheet) =>
  rows.forEach((cells, row) =>
    cells.forEach(({ button }, column) => button.addEventListener("click", () => open(sheet, row, column))),
  ),
);
split.addEventListener("input", slide);
byId("against").addEventListener("change", (event) => choose({ against: Number(event.target.value) }));
byId("previous").addEventListener("click", () => choose({ row: at.row - 1 }));
byId("next").addEventListener("click", () => choose({ row: at.row + 1 }));
byId("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // outside of what is in it
});
dialog.addEventListener("close", () => sheets[at.sheet].rows[at.row][at.column].button.focus());
dialog.addEventListener("keydown", (event) => {
  // The slider and the list have arrow keys of their own.
  if (event.target === split || event.target === byId("against")) return;
  const wanted = {
    ArrowLeft: { row: at.row - 1 }, ArrowRight: { row: at.row + 1 },
    ArrowUp: { column: at.column - 1 }, ArrowDown: { column: at.column + 1 },
  }[event.key];
  if (!wanted) return;
  event.preventDefault();
  choose(wanted);
});
