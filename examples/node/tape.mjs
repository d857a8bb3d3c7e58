// Joining and following the tape of some codes on one Redis, Valkey or Sentinel master. (In a Cluster, read each tape
// over a connection of its own: one XREAD cannot span slots.)

import { createClient } from 'redis'

import { advance, bookFrom, compareIds, sawMark } from './book.mjs'
import { askFor } from './interest.mjs'
import { Keys } from './keys.mjs'

const SCHEMA = '1'
const BLOCK_MS = 1000 // how late a stop is seen
const COUNT = 200
const RETRY_MS = 1000
const FIRST_ID = '0-0'
const ON_THE_TAPE = ['baseline', 'change', 'rollover', 'correction'].map((kind) => `brokertape.${kind}.v1`)

export class Tape {
  /** Books by code, always as of the last thing that `events` gave. */
  books = new Map()
  skipped = 0 // events of types that we do not know

  constructor({ url, prefix, codes, name, maxStalenessS }) {
    this.codes = codes
    this.name = name
    this.want = { weight: 1, max_staleness_s: maxStalenessS }
    this.prefix = prefix
    this.client = createClient({ url }) // for short commands
    this.reader = createClient({ url }) // for the read that blocks
    for (const client of [this.client, this.reader]) client.on('error', (error) => console.error(String(error)))
  }

  /**
   * What happens, for ever, until `signal` says stop: {what, code, event, entryId, book, reason}, where `what` is
   * `joined`, `applied`, `dropped`, `reread`, `status` or `watermark`.
   */
  async *events(signal) {
    await this.client.connect()
    await this.reader.connect()
    this.keys = await this.#findTape()
    const leave = await askFor(this.client, this.keys, this.codes, this.name, this.want)
    try {
      yield* this.#join()
      while (!signal.aborted) yield* this.#readOn(signal)
    } finally {
      await leave()
      await this.reader.close()
      await this.client.close()
    }
  }

  async #findTape() {
    const meta = await this.client.hGetAll(`${this.prefix}:meta`)
    if (meta.schema !== SCHEMA) throw new Error(`no tape of schema ${SCHEMA} at ${this.prefix}:meta`)
    return new Keys(this.prefix, Number(meta.partitions))
  }

  /** Positions first, books second: what is written in between is then read again, and dropped. */
  async *#join() {
    this.positions = await this.#lastIds([...new Set(this.codes.map((code) => this.keys.tape(code))), this.keys.feed])
    for (const code of this.codes) yield { what: 'joined', code, book: await this.#readBook(code) }
  }

  async #readBook(code) {
    const book = bookFrom(await this.client.hGetAll(this.keys.book(code)))
    if (book) this.books.set(code, book)
    else this.books.delete(code) // not seen yet: its baseline will come
    return book
  }

  async #lastIds(streams) {
    const ids = await Promise.all(streams.map((stream) => lastId(this.client, stream)))
    return new Map(streams.map((stream, index) => [stream, ids[index]]))
  }

  async *#readOn(signal) {
    let streams
    try {
      if (this.isLost) yield* this.#catchUp()
      const from = [...this.positions].map(([key, id]) => ({ key, id }))
      streams = (await this.reader.xRead(from, { BLOCK: BLOCK_MS, COUNT })) ?? []
    } catch (error) {
      console.error(`reading the tape: ${error}`)
      this.isLost = true
      if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      return
    }
    for (const { name: stream, messages } of streams) {
      for (const { id, message } of messages) {
        yield* this.#take(id, message)
        this.positions.set(stream, id)
      }
    }
  }

  /** Redis is back. It goes on from our positions, unless it has lost what we had read: then we join again. */
  async *#catchUp() {
    const last = await this.#lastIds([...this.positions.keys()])
    const isBehind = [...this.positions].some(([stream, id]) => compareIds(last.get(stream), id) < 0)
    if (isBehind) yield* this.#join()
    this.isLost = false
  }

  async *#take(entryId, { type, payload }) {
    if (ON_THE_TAPE.includes(type)) yield* this.#follow(entryId, JSON.parse(payload))
    else if (type === 'brokertape.status.v1') yield { what: 'status', event: JSON.parse(payload), entryId }
    else if (type === 'brokertape.watermark.v1') yield* this.#watch(entryId, JSON.parse(payload))
    else this.skipped += 1
  }

  async *#follow(entryId, event) {
    const code = event.subject
    if (!this.codes.includes(code)) return // another code of the same partition
    const { verdict, book, reason } = advance(this.books.get(code), event, entryId)
    if (verdict === 'applied') this.books.set(code, book)
    const held = verdict === 'reread' ? await this.#readBook(code) : book
    yield { what: verdict, code, event, entryId, reason, book: held }
  }

  async *#watch(entryId, event) {
    for (const code of this.codes.filter((code) => event.data.codes[code])) {
      const held = this.books.get(code)
      const { book, isLost } = held ? sawMark(held, event.data.codes[code], Date.now()) : { isLost: true }
      if (book) this.books.set(code, book)
      const reason = 'a watermark is ahead of us'
      if (isLost) yield { what: 'reread', code, reason, book: await this.#readBook(code) }
    }
    yield { what: 'watermark', event, entryId }
  }
}

async function lastId(client, stream) {
  if (!(await client.exists(stream))) return FIRST_ID
  return (await client.xInfoStream(stream))['last-generated-id']
}
