#pragma once

namespace svdlab::report {

/// The script of every page. Written without the two characters that XML reserves, so that a page stays
/// well-formed.
inline constexpr const char* kScript = R"js(
'use strict';
(() => {
  const all = (root, what) => Array.from(root.querySelectorAll(what));
  document.documentElement.classList.add('live');

  // Tables: a head sorts by its column, numbers from the largest, a third time restores the order.
  const sorters = {
    number: cell => Number(cell.dataset.v),
    text: cell => cell.textContent,
  };
  const compare = (a, b) => {
    if (typeof a === 'string') return a.localeCompare(b, undefined, {numeric: true});
    return a === b ? 0 : a > b ? 1 : -1;
  };
  for (const table of all(document, 'table.sortable')) {
    const body = table.tBodies[0], rows = Array.from(body.rows), heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, column) => head.firstElementChild.addEventListener('click', () => {
      const kind = head.classList.contains('n') ? 'number' : 'text';
      const orders = kind === 'number' ? ['descending', 'ascending'] : ['ascending', 'descending'];
      const order = orders[orders.indexOf(head.getAttribute('aria-sort')) + 1];
      for (const other of heads) other.removeAttribute('aria-sort');
      if (!order) return body.append(...rows);
      head.setAttribute('aria-sort', order);
      const sign = order === 'ascending' ? 1 : -1, value = row => sorters[kind](row.cells[column]);
      const missing = row => Number.isNaN(value(row));
      body.append(...rows.slice().sort((a, b) => {
        if (missing(a) || missing(b)) return missing(a) - missing(b);
        return sign * compare(value(a), value(b));
      }));
    }));
  }

  // Charts of which one is shown.
  for (const figure of all(document, 'figure.choice')) {
    const select = figure.querySelector('select'), charts = all(figure, '.chart');
    const show = () => charts.forEach((chart, i) => { chart.hidden = i !== select.selectedIndex; });
    if (!select) continue;
    select.addEventListener('change', show);
    show();
  }

  // Heat maps: the same cells in the colours of other values.
  for (const figure of all(document, 'figure.maps')) {
    const select = figure.querySelector('select'), group = figure.querySelector('g[data-stops]');
    const svg = figure.querySelector('svg'), title = svg.getAttribute('aria-label');
    const cells = all(group, 'rect'), names = cells.map(c => c.textContent.replace(/: [^:]*$/, ''));
    const stops = group.dataset.stops.split(';').map(s => s.split(',').map(Number));
    const scale = v => group.dataset.log === '1' ? Math.log10(v) : v;
    const lo = scale(Number(group.dataset.lo)), hi = scale(Number(group.dataset.hi));
    const blank = group.dataset.sparse === '1' ? 'var(--panel)' : 'var(--grid)';
    const color = text => {
      if (text === '') return blank;
      const t = hi > lo ? Math.min(1, Math.max(0, (scale(Number(text)) - lo) / (hi - lo))) : 0.5;
      const at = t * (stops.length - 1), i = Math.min(Math.floor(at), stops.length - 2);
      return `rgb(${stops[i].map((c, k) => Math.round(c + (at - i) * (stops[i + 1][k] - c))).join(',')})`;
    };
    const draw = () => {
      const option = select.selectedOptions[0], values = option.dataset.v.split(',');
      svg.setAttribute('aria-label', `${title}, ${option.text}`);
      cells.forEach((cell, i) => {
        cell.style.fill = color(values[i]);
        cell.style.stroke = i === Number(option.dataset.m) ? 'var(--ink)' : 'none';
        cell.style.strokeWidth = '2';
        cell.firstElementChild.textContent = `${names[i]}: ${values[i] || 'nan'}`;
      });
    };
    select.addEventListener('change', draw);
    draw();
  }

  // The comparison takes its pictures from the grids of the page.
  for (const figure of all(document, 'figure.compare')) {
    const item = figure.querySelector('select.item'), cell = figure.querySelector('select.cell');
    const grids = all(document, 'table.grid'), places = [];
    if (grids.length === 0) continue;
    const option = (list, text) => list.append(Object.assign(document.createElement('option'), {textContent: text}));
    for (const grid of grids) {
      const list = Object.assign(document.createElement('optgroup'), {label: grid.dataset.name});
      cell.append(list);
      Array.from(grid.tHead.rows[0].cells).slice(2).forEach((head, k) => {
        option(list, head.textContent);
        places.push({grid, column: k + 2, name: head.textContent});
      });
    }
    for (const row of grids[0].tBodies[0].rows) option(item, row.cells[0].textContent);
    const text = (what, words) => { figure.querySelector(what).textContent = words; };
    const show = () => {
      const place = places[cell.selectedIndex], row = place.grid.tBodies[0].rows[item.selectedIndex];
      const [a, b] = [1, place.column].map(k => row.cells[k].querySelector('img'));
      const note = row.cells[place.column].querySelector('span');
      all(figure, '.frame').forEach((frame, i) => {
        all(frame, 'img').forEach((img, k) => {
          const from = i === 0 || (i > 1 ? k === 0 : false) ? a : b;
          img.src = from.src;
          img.alt = from.alt;
        });
      });
      text('.a', place.grid.tHead.rows[0].cells[1].textContent);
      text('.b', place.name + (note ? `, ${note.textContent}` : ''));
    };
    item.addEventListener('change', show);
    cell.addEventListener('change', show);
    places.forEach((place, index) => {
      Array.from(place.grid.tBodies[0].rows).forEach((row, r) => {
        row.cells[place.column].querySelector('img').addEventListener('click', () => {
          item.selectedIndex = r;
          cell.selectedIndex = index;
          show();
          figure.scrollIntoView({block: 'nearest'});
        });
      });
    });
    const [gain, edge] = all(figure, 'input');
    const move = () => {
      figure.style.setProperty('--gain', gain.value);
      figure.style.setProperty('--edge', `${edge.value}%`);
      text('output', gain.value);
    };
    gain.addEventListener('input', move);
    edge.addEventListener('input', move);
    show();
    move();
  }

  // The contents say where the reader is.
  const links = all(document, 'nav a'), heads = links.map(a => document.querySelector(a.getAttribute('href')));
  const follow = () => {
    const passed = heads.filter(h => 140 > h.getBoundingClientRect().top).length;
    links.forEach((a, i) => a.classList.toggle('here', i === Math.max(0, passed - 1)));
  };
  addEventListener('scroll', follow, {passive: true});
  follow();
})();
)js";

}  // namespace svdlab::report
