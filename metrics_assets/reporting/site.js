// Enhances only.
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
 const rows = all(`#${input.dataset.filters} tbody tr`)
 input.parentNode.hidden = !rows.length
 input.oninput = () => {
  let left = 0
  for (const row of rows) left += !(row.hidden = !text(row).toLowerCase().includes(input.value.toLowerCase()))
  say(id("shown").textContent = `${left} of ${rows.length} shown`)
 }
}

for (const chart of all(".chart")) {
 const plot = all(".plot", chart)[0], rows = all("tbody tr", chart), said = all("[data-said]", chart), last = rows.length - 1
 const hair = make("div", "hair"), tip = make("span", "tip")
 let at = last
 const hide = () => { hair.remove(); tip.remove() }
 const show = index => {
  at = Math.max(0, Math.min(last, index))
  const x = 100 * at / (last || 1), cells = rows[at].cells
  tip.textContent = text(cells[0]) + said.map(th => ` · ${text(th)} ${text(cells[th.cellIndex])}`).join("")
  hair.style.left = x + "%"
  tip.style = x > 50 ? `right:${100 - x}%` : `left:${x}%`
  plot.append(hair, tip)
 }
 plot.tabIndex = 0
 plot.onpointermove = event => {
  const box = plot.getBoundingClientRect()
  show(Math.round((event.clientX - box.left) / box.width * last))
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
