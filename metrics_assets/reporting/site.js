// Enhances only: every page is whole without it.
(() => {
const root = document.documentElement, themes = ["auto", "light", "dark"]
const all = (css, from = document) => [...from.querySelectorAll(css)], text = node => node.textContent, id = name => document.getElementById(name)
const make = (tag, name) => Object.assign(document.createElement(tag), {className: name})
let theme = "auto"
const paint = () => { root.dataset.theme = theme }
try { theme = localStorage.theme || theme } catch {}
paint()
addEventListener("DOMContentLoaded", () => {
const say = words => { id("live").textContent = words }

const button = id("theme"), label = () => { button.textContent = "Theme: " + theme }
button.hidden = false
label()
button.onclick = () => {
 theme = themes[(themes.indexOf(theme) + 1) % 3]
 paint(); label()
 try { localStorage.theme = theme } catch {}
}

for (const table of all(".sortable")) for (const th of all("thead th", table)) {
 const name = text(th), sort = make("button"), body = table.tBodies[0]
 sort.type = "button"
 sort.textContent = name
 th.replaceChildren(sort)
 sort.onclick = () => {
  const order = th.ariaSort == "ascending" ? "descending" : "ascending", sign = order[0] == "a" ? 1 : -1
  const key = row => { const cell = row.cells[th.cellIndex]; return cell.dataset.sort ?? text(cell) }
  for (const other of all("[aria-sort]", table)) other.ariaSort = null
  th.ariaSort = order
  body.append(...[...body.rows].sort((a, b) => {
   const x = key(a), y = key(b)
   if (!x || !y) return !x - !y // what is not known stays last
   return sign * ("num" in th.dataset ? x - y : x.localeCompare(y))
  }))
  say(`Sorted by ${name}, ${order}`)
 }
}

for (const input of all("[data-filters]")) {
 const rows = all(`#${input.dataset.filters} tbody tr`), tools = input.parentNode
 tools.hidden = !rows.length
 input.oninput = () => {
  let left = 0
  for (const row of rows) left += !(row.hidden = !text(row).toLowerCase().includes(input.value.toLowerCase()))
  say(all(".shown", tools)[0].textContent = `${left} of ${rows.length} shown`)
 }
}

for (const cell of all(".heat td")) cell.title = text(cell)

for (const chart of all(".chart")) {
 const plot = all(".plot", chart)[0], rows = all("tbody tr", chart), said = all("[data-said]", chart)
 if (!plot || !rows.length) continue
 const stops = (plot.dataset.at || "").split(" ").map(at => at / 10), last = rows.length - 1
 const hair = make("div", "hair"), tip = make("span", "tip")
 let at = +(plot.dataset.now ?? last)
 const hide = () => { hair.remove(); tip.remove() }
 const show = index => {
  at = Math.max(0, Math.min(last, index))
  const x = stops[at] ?? 100 * at / (last || 1), cells = rows[at].cells
  tip.textContent = text(cells[0]) + said.map(th => ` · ${text(th)} ${text(cells[th.cellIndex])}`).join("")
  hair.style.left = x + "%"
  tip.style = x > 50 ? `right:${100 - x}%` : `left:${x}%`
  plot.append(hair, tip)
 }
 plot.tabIndex = 0
 plot.onpointermove = event => {
  const box = plot.getBoundingClientRect(), x = (event.clientX - box.left) / box.width * 100
  show(stops.reduce((best, stop, index) => Math.abs(stop - x) < Math.abs(stops[best] - x) ? index : best, 0))
 }
 plot.onpointerleave = plot.onblur = hide
 plot.onkeydown = event => {
  const step = {ArrowLeft: -1, ArrowRight: 1}[event.key]
  if (event.key == "Escape") hide()
  if (step) { event.preventDefault(); show(at + step); say(text(tip)) }
 }
}
})
})()
