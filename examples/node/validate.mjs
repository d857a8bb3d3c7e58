// Events against the committed JSON Schemas (docs/schema).

import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { Ajv2020 } from 'ajv/dist/2020.js'

/** A function that says what is wrong with an event, undefined if nothing is or its type has no schema. */
export function validator(directory) {
  const ajv = new Ajv2020({ allErrors: true })
  const validators = new Map()
  for (const file of readdirSync(directory).filter((name) => name.endsWith('.v1.json'))) {
    const schema = JSON.parse(readFileSync(join(directory, file), 'utf8'))
    validators.set(schema.title, ajv.compile(schema))
  }
  if (!validators.size) throw new Error(`no schemas in ${directory}`)
  return (event) => {
    const validate = validators.get(event.type)
    return !validate || validate(event) ? undefined : ajv.errorsText(validate.errors)
  }
}
