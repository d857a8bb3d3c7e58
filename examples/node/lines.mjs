// What happens, in one line each, for people.

const MAX_CHANGES = 4 // told one by one; the rest is counted

/** One happening in words. */
export function lineOf({ what, code, event, book, reason }, isLate) {
  const stamp = timeOf(event?.data.observed_at ?? Date.now())
  const isNews = what === 'applied'
  const kind = isNews ? event.type.split('.')[1] : what
  const text = isNews ? textOf(event) : (reason ?? stateOf(event, book))
  return [stamp, code ?? event.subject, kind, text, isLate ? '(late)' : ''].map(plain).join('  ').trimEnd()
}

function textOf({ data }) {
  if (data.changes) return changesText(data.changes)
  if (data.broken) return data.broken.map(brokenText).join('; ')
  return `${data.rows.length} rows`
}

function brokenText({ what, broker_name: name, from, to }) {
  return `${what} ${name ?? ''} ${from} → ${to}`
}

function changesText(changes) {
  const texts = changes.map(changeText).filter(Boolean)
  const rest = changes.length - Math.min(texts.length, MAX_CHANGES)
  return [...texts.slice(0, MAX_CHANGES), ...(rest ? [`${rest} more`] : [])].join('; ')
}

function changeText({ broker_name: name, kinds, before, after }) {
  if (!before) return `${name} enters at ${after.net_vol}`
  if (!after) return `${name} leaves at ${before.net_vol}`
  return kinds.includes('net') ? `${name} ${before.net_vol} → ${after.net_vol}` : undefined // a rank alone is no news
}

function stateOf(event, book) {
  const { scope, state, reason } = event?.data ?? {}
  if (scope) return `${scope} ${state}${reason ? `: ${reason}` : ''}`
  return book ? `#${book.seq}, ${book.rows.length} rows, seen ${timeOf(book.observedAt)}` : 'not seen yet'
}

/** Market time, which is UTC+8 all year. */
function timeOf(ms) {
  return new Date(ms + 8 * 3_600_000).toISOString().slice(11, 23)
}

/** Names come from outside and must not steer a terminal. */
function plain(text) {
  return text.replace(/\p{Cc}/gu, '�')
}
