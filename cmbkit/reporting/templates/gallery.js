(function () {
  "use strict";
  const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));
  const search = document.getElementById("search");
  const items = all(".item");
  const texts = items.map((item) => item.textContent.toLowerCase());

  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    items.forEach((item, n) => { item.hidden = !words.every((word) => texts[n].includes(word)); });
    for (const section of all("main > section"))
      section.hidden = all(".item", section).every((item) => item.hidden);
    const found = items.filter((item) => !item.hidden).length;
    document.getElementById("found").textContent = words.length ? `${found} of ${items.length}` : "";
  });

  // a click on a head sorts, another one turns the order; what has no value comes last
  for (const table of all("main table")) {
    const body = table.tBodies[0];
    if (!body || body.rows.length < 3) continue;
    all("th", table).forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        all("th", table).forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = Array.from(body.rows, (row) => {
          const cell = row.cells[column], number = parseFloat(cell.dataset.value);
          return { row, key: "value" in cell.dataset ? number : cell.textContent.trim() };
        });
        const none = (key) => key === "" || key === "–" || Number.isNaN(key);
        rows.sort((a, b) => {
          if (none(a.key) || none(b.key)) return none(a.key) - none(b.key);
          const order = typeof a.key === "number" ? a.key - b.key : a.key.localeCompare(b.key);
          return down ? -order : order;
        });
        body.append(...rows.map((each) => each.row));
      });
    });
  }

  const dialog = document.getElementById("large");
  const picture = dialog.querySelector("img");
  const links = all("a.large");
  let at = 0;
  const show = (n) => {
    at = (n + links.length) % links.length;
    picture.src = links[at].href;
    picture.alt = links[at].firstElementChild.alt;
    dialog.querySelector("span").textContent = links[at].closest("figure").querySelector("b").textContent;
  };
  links.forEach((link, n) => link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show(n);
    dialog.showModal();
  }));
  dialog.querySelector("button").addEventListener("click", () => dialog.close());
  picture.addEventListener("click", () => picture.classList.toggle("whole"));

  document.addEventListener("keydown", (event) => {
    if (dialog.open && event.key === "ArrowRight") show(at + 1);
    else if (dialog.open && event.key === "ArrowLeft") show(at - 1);
    else if (event.key === "/" && !dialog.open && document.activeElement !== search) {
      event.preventDefault();
      search.focus();
    }
  });
})();
