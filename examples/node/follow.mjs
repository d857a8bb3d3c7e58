// Follow the books of some codes and print what happens, a line each:
//
//   npm install
//   node follow.mjs --redis redis://127.0.0.1:6379 HK.00700 HK.00005
//
// --json             JSON lines, for programs
// --validate DIR     hold every event against the schemas in DIR (../../docs/schema); exit code 1 if one is wrong
// --max-age SECONDS  ask the publisher for this freshness, and say when a book is older
// --prefix NAME      of the tape's keys; brokertape
// --name NAME        under which we ask for the codes; by default one of our own per process
//
// Ctrl-C ends it.

import { hostname } from 'node:os'
import { parseArgs } from 'node:util'

import { lineOf } from './lines.mjs'
import { Tape } from './tape.mjs'

const { values: options, positionals: codes } = parseArgs({
  allowPositionals: true,
  options: {
    redis: { type: 'string', default: 'redis://127.0.0.1:6379' },
    prefix: { type: 'string', default: 'brokertape' },
    name: { type: 'string', default: `node-${hostname()}-${process.pid}` },
    'max-age': { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
    validate: { type: 'string' },
  },
})
const maxAgeMs = 1000 * Number(options['max-age'])
if (!codes.length || !codes.every((code) => /^HK\.[0-9]{5}$/.test(code)) || !(maxAgeMs > 0)) {
  console.error('follow: name codes as HK.00700, and an age in seconds above 0')
  process.exit(2)
}

const faultOf = options.validate ? (await import('./validate.mjs')).validator(options.validate) : undefined
const { redis: url, prefix, name } = options
const tape = new Tape({ url, prefix, codes, name, maxStalenessS: maxAgeMs / 1000 })
const counts = { validated: 0, invalid: 0 }
const stale = new Set()

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort())

for await (const happening of tape.events(stop.signal)) {
  check(happening.event)
  tell(happening)
  for (const change of freshness()) tell(change)
}
if (options.json) print({ what: 'end', ...counts, skipped: tape.skipped, books: Object.fromEntries(tape.books) })
process.exitCode = counts.invalid ? 1 : 0

function tell(happening) {
  const { event } = happening
  const isLate = event?.data.observed_at !== undefined && Date.now() - event.data.observed_at > maxAgeMs
  if (options.json) print({ ...happening, isLate })
  else if (happening.what !== 'watermark') console.log(lineOf(happening, isLate))
}

function check(event) {
  const fault = event && faultOf?.(event)
  if (event && faultOf) counts.validated += 1
  if (fault) {
    counts.invalid += 1
    console.error(`${event.id} is not what its schema says: ${fault}`)
  }
}

/** The codes whose book has become older than the age allowed, and those that are fresh again. */
function* freshness() {
  for (const [code, book] of tape.books) {
    const isStale = Date.now() - book.observedAt > maxAgeMs
    if (isStale !== stale.has(code)) yield { what: isStale ? 'stale' : 'fresh', code, book }
    if (isStale) stale.add(code)
    else stale.delete(code)
  }
}

function print(value) {
  console.log(JSON.stringify(value))
}
