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
    const key = plot.dataset.chart ?? plot.dataset.folded;
    const spec = plot.dataset.folded
      ? await unpacked(document.getElementById(`folded-${key}`))
      : JSON.parse(document.getElementById(`spec-${key}`).textContent);
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
  const missing = (text) => text === "" || text === "–";
  const sorted = (rows, value, down) => {
    const keyed = rows.map((row) => [value(row), row]);
    keyed.sort(([a], [b]) => {
      if (missing(a) || missing(b)) return missing(a) - missing(b);
      const [x, y] = [Number(a), Number(b)];
      const order = Number.isNaN(x) || Number.isNaN(y) ? natural.compare(a, b) : x - y;
      return down ? -order : order;
    });
    return keyed.map(([, row]) => row);
  };
  const wordsOf = (input) => input.value.toLowerCase().split(/\s+/).filter(Boolean);

  // A short table: its rows are in the page.
  const plain = (table) => {
    // A note below a row moves with it, and is searched with it.
    const grouped = () => {
      const groups = [];
      for (const row of table.tBodies[0].rows) {
        if (row.classList.contains("remark")) groups.at(-1).push(row);
        else groups.push([row]);
      }
      return groups;
    };
    return {
      sort: (column, down) => {
        const value = ([row]) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
        table.tBodies[0].append(...sorted(grouped(), value, down).flat());
      },
      search: (words) => {
        const groups = grouped();
        for (const rows of groups) {
          const text = rows.map((row) => row.textContent).join(" ").toLowerCase();
          for (const row of rows) row.hidden = !words.every((word) => text.includes(word));
        }
        return [groups.filter(([row]) => !row.hidden).length, groups.length];
      },
    };
  };

  // A long table: its rows are JSON (compressed), and only those of one page are elements. Everything is set as text.
  const unpacked = async (element) => {
    const bytes = Uint8Array.from(atob(element.textContent), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };
  const paged = async (block, table) => {
    const cells = await unpacked(document.getElementById(`rows-${block.dataset.rows}`));
    const rows = cells.map((row) => row.map((cell) => (Array.isArray(cell) ? cell : [cell, "", ""])));
    const texts = rows.map((row) => row.map(([text, , sub]) => `${text} ${sub}`).join(" ").toLowerCase());
    const of = new Map(rows.map((row, i) => [row, texts[i]]));
    const numeric = [...table.tHead.rows[0].cells].map((heading) => heading.classList.contains("num"));
    const size = Number(block.dataset.page);
    const [back, next] = block.querySelectorAll("button[data-turn]");
    let [order, shown, first] = [rows, rows, 0];
    const element = ([text, , sub], column) => {
      const cell = document.createElement("td");
      cell.textContent = text;
      if (numeric[column]) cell.className = "num";
      else if (text.length > 30 || sub) cell.className = "long";
      else if (text.length > 16) cell.className = "words";
      if (sub) {
        const more = document.createElement("span");
        more.className = sub.includes("\n") ? "sub lines" : "sub";
        more.textContent = sub.trim();
        cell.append(" ", more);
      }
      return cell;
    };
    const remark = (text) => {
      const line = document.createElement("tr");
      line.className = "remark";
      const cell = document.createElement("td");
      cell.colSpan = numeric.length;
      cell.textContent = text;
      line.append(cell);
      return line;
    };
    const show = () => {
      const elements = shown.slice(first, first + size).flatMap((row) => {
        const line = document.createElement("tr");
        line.append(...row.slice(0, numeric.length).map(element));
        const note = row.length > numeric.length ? row.at(-1)[0] : "";
        return note ? [line, remark(note)] : [line];
      });
      table.tBodies[0].replaceChildren(...elements);
      const last = Math.min(first + size, shown.length);
      const count = (n) => n.toLocaleString("en");
      const range = shown.length ? `Rows ${count(first + 1)} to ${count(last)} of ${count(shown.length)}` : "No rows";
      block.querySelector(".place").textContent = range;
      [back.disabled, next.disabled] = [first === 0, last >= shown.length];
    };
    let words = [];
    const renew = () => {
      shown = words.length ? order.filter((row) => words.every((word) => of.get(row).includes(word))) : order;
      first = 0;
      show();
    };
    for (const button of [back, next]) {
      button.addEventListener("click", () => {
        first = Math.max(0, first + Number(button.dataset.turn) * size);
        show();
        block.querySelector(".scroll").scrollTop = 0;
      });
    }
    show();
    return {
      sort: (column, down) => {
        order = sorted(rows, (row) => row[column][1] || row[column][0], down);
        renew();
      },
      search: (given) => {
        words = given;
        renew();
        return [shown.length, rows.length];
      },
    };
  };

  const enliven = async (block) => {
    const table = block.querySelector("table");
    const view = block.dataset.rows ? await paged(block, table) : plain(table);
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      heading.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = heading.getAttribute("aria-sort") === "ascending";
        for (const other of headings) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        view.sort(column, down);
      });
    });
    const input = block.querySelector("input[data-search]");
    input?.addEventListener("input", () => {
      const words = wordsOf(input);
      const [shown, all] = view.search(words);
      block.querySelector(".found").textContent = words.length ? `${shown} of ${all} rows` : "";
    });
  };
  const enlivenAll = async () => {
    // One that cannot be unpacked (an old browser) still shows its first rows.
    const blocks = [...document.querySelectorAll("main div.table")];
    const done = await Promise.allSettled(blocks.map(enliven));
    const failed = done.filter((result) => result.status === "rejected").length;
    document.documentElement.dataset.tables = failed ? `failed ${failed}` : "ready";
  };

  // Patients: a page is drawn when it is opened, by its link, by hand, or with all others for the printer.
  const pages = [...document.querySelectorAll("details[data-patient]")];
  const shown = new Map();
  const drawPage = (page) => {
    if (!shown.has(page)) {
      const plot = page.querySelector("[data-folded]");
      const failed = (error) => {
        plot.textContent = `This figure could not be drawn (${error.message}). Its data can be saved below.`;
        page.dataset.figure = "failed";
      };
      shown.set(page, draw(plot).then(() => (page.dataset.figure = "drawn"), failed));
    }
    return shown.get(page);
  };
  for (const page of pages) {
    page.addEventListener("toggle", () => page.open && drawPage(page));
    if (page.open) drawPage(page);
  }
  const openLinked = () => {
    const page = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!page?.matches("details[data-patient]")) return;
    page.open = true;
    page.scrollIntoView();
  };
  addEventListener("hashchange", openLinked);
  for (const link of document.querySelectorAll(".chooser a")) link.addEventListener("click", () => setTimeout(openLinked));
  for (const button of document.querySelectorAll("[data-all]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      button.disabled = true;
      for (const page of pages) {
        page.open = button.dataset.all === "open";
        if (page.open) await drawPage(page);
      }
      button.disabled = false;
    });
  }
  const finder = document.querySelector("[data-find-patient]");
  finder?.addEventListener("input", () => {
    const words = wordsOf(finder);
    const has = (element) => words.every((word) => element.textContent.toLowerCase().includes(word));
    for (const item of document.querySelectorAll(".chooser li")) item.hidden = !has(item);
    for (const page of pages) page.hidden = !has(page.querySelector("summary"));
  });

  // Contents: mark the section that is being read.
  const links = new Map([...document.querySelectorAll(".page > nav a")].map((link) => [link.hash.slice(1), link]));
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

  // Tables wider than their frame: a shade on the right as long as there are columns to scroll to.
  const shade = (frame) =>
    frame.classList.toggle("more", frame.scrollLeft + frame.clientWidth < frame.scrollWidth - 1);
  const widths = new ResizeObserver((entries) => entries.forEach((entry) => shade(entry.target)));
  for (const frame of document.querySelectorAll("main .scroll")) {
    widths.observe(frame);
    frame.addEventListener("scroll", () => shade(frame), { passive: true });
  }

  enlivenAll();
  drawAll();
  openLinked();
})();
