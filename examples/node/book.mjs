// The book of one code and what an event does to it: the rules of the contract, without Redis.

import { createHash } from 'node:crypto'

export const BEHIND_MS = 10_000 // a watermark that stays ahead of us for so long: we have missed something

const ROW_FIELDS = ['rank', 'side', 'broker_name', 'net_vol', 'avg_price', 'total_vol', 'total_turnover']

/** The book in a Redis hash as HGETALL gives it; undefined when there is none yet. */
export function bookFrom(hash) {
  if (!hash.epoch) return undefined
  const { code, rows } = JSON.parse(hash.snapshot)
  return {
    code,
    epoch: Number(hash.epoch),
    seq: Number(hash.seq),
    entryId: hash.entry_id,
    tradingDate: hash.trading_date,
    observedAt: Number(hash.observed_at),
    hash: hash.hash,
    rows,
  }
}

/**
 * What an entry of the tape does to the book: {verdict, book, reason}. The verdict is `applied`; `dropped` for what
 * the book holds already or what is of an epoch that is over; or `reread` when the event does not follow from the
 * book, so that the book must be read again.
 */
export function advance(book, event, entryId) {
  const { epoch, prev_seq: prevSeq, hash } = event.data
  if (book && (compareIds(entryId, book.entryId) <= 0 || epoch < book.epoch)) return { verdict: 'dropped', book }
  const begins = prevSeq === null && (!book || epoch > book.epoch)
  const follows = book && epoch === book.epoch && prevSeq === book.seq
  if (!begins && !follows) {
    return { verdict: 'reread', book, reason: `${event.id} follows seq ${prevSeq}, we have ${book?.seq ?? 'none'}` }
  }
  const rows = rowsAfter(book?.rows ?? [], event.data)
  if (!rows || hashOf(rows) !== hash) {
    return { verdict: 'reread', book, reason: `the rows after ${event.id} are not those of its hash` }
  }
  return { verdict: 'applied', book: bookAfter(event, entryId, rows) }
}

/** The book after a watermark, and whether it must be read again: it has been behind for too long. */
export function sawMark(book, mark, now) {
  if (mark.epoch === book.epoch && mark.seq === book.seq) {
    return { book: { ...book, observedAt: Math.max(book.observedAt, mark.observed_at), behindSince: undefined } }
  }
  const isAhead = mark.epoch > book.epoch || (mark.epoch === book.epoch && mark.seq > book.seq)
  if (!isAhead) return { book }
  const behindSince = book.behindSince ?? now
  return { book: { ...book, behindSince }, isLost: now - behindSince > BEHIND_MS }
}

/** Entry ids in order; as text, 10-0 would come before 9-0. */
export function compareIds(one, other) {
  const [oneMs, oneSeq] = one.split('-').map(Number)
  const [otherMs, otherSeq] = other.split('-').map(Number)
  return oneMs - otherMs || oneSeq - otherSeq
}

/** The hash that the rows must have: a line for each, null written as nothing. */
export function hashOf(rows) {
  const lines = rows.map((row) => `${row.side}|${row.rank}|${row.broker_name}|${row.net_vol ?? ''}\n`)
  return createHash('sha256').update(lines.join(''), 'utf8').digest('hex').slice(0, 16)
}

function bookAfter(event, entryId, rows) {
  const { code, epoch, seq, trading_date: tradingDate, observed_at: observedAt, hash } = event.data
  return { code, epoch, seq, entryId, tradingDate, observedAt, hash, rows }
}

/** A change is applied as a whole; every other event carries all rows. Undefined when it does not fit. */
function rowsAfter(rows, { changes, rows: allRows }) {
  if (!changes) return allRows
  const table = new Map(rows.map((row) => [placeOf(row), row]))
  for (const { before } of changes) {
    if (before && !isSameRow(table.get(placeOf(before)), before)) return undefined
    if (before) table.delete(placeOf(before))
  }
  for (const { after } of changes) {
    if (after && table.has(placeOf(after))) return undefined
    if (after) table.set(placeOf(after), after)
  }
  return [...table.values()].sort((one, other) => compareText(one.side, other.side) || one.rank - other.rank)
}

const placeOf = (row) => `${row.side} ${row.rank}`
const isSameRow = (one, other) => one !== undefined && ROW_FIELDS.every((field) => one[field] === other[field])
const compareText = (one, other) => (one < other ? -1 : one > other ? 1 : 0) // `buy` comes before `sell`
