// Holds events (a JSON list on standard input) against the schemas in the directory named: for each, what is wrong with
// it, or null.

import { readFileSync } from 'node:fs'

import { validator } from './consumer/validate.mjs'

const faultOf = validator(process.argv[2])
const events = JSON.parse(readFileSync(0, 'utf8'))
console.log(JSON.stringify(events.map((event) => faultOf(event) ?? null)))
