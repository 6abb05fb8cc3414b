
"use strict";
{
  // Filters and sorts the table of images; everything is in the page already.
  const form = document.getElementById("filters");
  const table = document.getElementById("images");
  const body = table.tBodies[0];
  const shown = document.getElementById("shown");
  const choices = [...form.querySelectorAll("select")];
  const text = document.getElementById("text");
  const rows = [...body.rows].map((row) => ({
    row,
    text: row.textContent.toLowerCase(),
    of: Object.fromEntries(choices.map(({ id }) => [id, row.dataset[id].split(" ")])),
  }));

  // A browser is slow with many thousands of rows: the others are there for the asking.
  const FIRST = 500;
  const more = document.getElementById("more");
  const apply = (first = FIRST) => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = choices.filter((choice) => choice.value);
    let number = 0;
    for (const { row, text, of } of rows) {
      const fits =
        words.every((word) => text.includes(word)) &&
        wanted.every((choice) => of[choice.id].includes(choice.value));
      number += fits;
      row.hidden = !fits || number > first;
    }
    const all = number === rows.length ? "" : ` of ${rows.length}`;
    const part = number > first ? `, the first ${first} shown` : "";
    shown.textContent = `${number}${all} image${rows.length === 1 ? "" : "s"}${part}`;
    more.hidden = number <= first;
  };
  more.addEventListener("click", () => {
    const next = rows.filter(({ row }) => !row.hidden).length;
    apply(Infinity);
    // The button is gone: the focus goes on where the table does.
    rows.filter(({ row }) => !row.hidden)[next].row.querySelector("a").focus();
  });
  form.addEventListener("input", () => apply());
  form.addEventListener("submit", (event) => event.preventDefault());
  // The fields are empty only behind the event.
  form.addEventListener("reset", () => setTimeout(() => apply()));

  const heads = [...table.tHead.rows[0].cells];
  const order = new Intl.Collator("en", { numeric: true }).compare;
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      for (const each of rows) each.key = each.row.cells[column].textContent;
      rows.sort((a, b) => (up ? order(a.key, b.key) : order(b.key, a.key)));
      for (const { row } of rows) body.append(row);
      apply();
    });
  });
  form.hidden = false;
  // A browser keeps what was filled in when the page is loaded again.
  apply();

  // Paper opens nothing.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const details of closed) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of closed) details.open = false;
  });
}
