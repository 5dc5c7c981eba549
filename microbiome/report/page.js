"use strict";
(() => {
  const natural = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  // Figures: drawn as SVG, one after the other, from the JSON beside each; expressions are interpreted, not compiled, so that the
  // policy of the page can forbid code made from text.
  const download = (address, name) => {
    const link = document.createElement("a");
    link.href = address;
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
  };
  const save = async (view, key, format) => {
    if (format === "png") return download(await view.toImageURL("png", 2), `${key}.png`);
    const address = URL.createObjectURL(new Blob([await view.toSVG()], { type: "image/svg+xml" }));
    download(address, `${key}.svg`);
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  };
  const draw = async (plot) => {
    const key = plot.dataset.chart;
    const spec = JSON.parse(document.getElementById(`spec-${key}`).textContent);
    const { view } = await window.vegaEmbed(plot, spec, { actions: false, renderer: "svg", ast: true });
    for (const button of plot.closest("figure").querySelectorAll("button[data-save]")) {
      button.disabled = false;
      button.addEventListener("click", () => save(view, key, button.dataset.save));
    }
  };
  const drawAll = async () => {
    let failed = 0;
    for (const plot of document.querySelectorAll("[data-chart]")) {
      try {
        await draw(plot);
      } catch (error) {
        failed += 1;
        plot.textContent = `This figure could not be drawn (${error.message}). Its data can be saved below.`;
      }
    }
    document.documentElement.dataset.figures = failed ? `failed ${failed}` : "drawn";
  };

  // Tables: a click on a heading sorts, numbers by value, and turns the order; empty cells stay last.
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort ?? cell.textContent.trim();
  };
  const sort = (table, heading, column) => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    const missing = (text) => text === "" || text === "–";
    const rows = [...table.tBodies[0].rows].sort((one, other) => {
      const [a, b] = [value(one, column), value(other, column)];
      if (missing(a) || missing(b)) return missing(a) - missing(b);
      const [x, y] = [Number(a), Number(b)];
      const order = Number.isNaN(x) || Number.isNaN(y) ? natural.compare(a, b) : x - y;
      return down ? -order : order;
    });
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    table.tBodies[0].append(...rows);
  };
  for (const table of document.querySelectorAll("main table")) {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      heading.replaceChildren(button);
      button.addEventListener("click", () => sort(table, heading, column));
    });
  }
  for (const input of document.querySelectorAll("input[data-search]")) {
    const block = document.getElementById(input.dataset.search);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const rows = [...block.querySelectorAll("tbody tr")];
      for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
      const shown = rows.filter((row) => !row.hidden).length;
      block.querySelector(".found").textContent = words.length ? `${shown} of ${rows.length} rows` : "";
    });
  }

  // Contents: mark the section that is being read.
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        for (const link of links.values()) link.removeAttribute("aria-current");
        links.get(entry.target.id)?.setAttribute("aria-current", "true");
      }
    },
    { rootMargin: "-10% 0px -80% 0px" },
  );
  for (const section of document.querySelectorAll("main section")) seen.observe(section);

  drawAll();
})();
