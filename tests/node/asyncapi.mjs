// What the AsyncAPI parser has to say about the document named: a JSON list of {severity, code, path, message}, where
// severity 0 is an error and 1 a warning; and the addresses and messages that it found.

import { readFileSync } from 'node:fs'

import parser from '@asyncapi/parser'

const { document, diagnostics } = await new parser.Parser().parse(readFileSync(process.argv[2], 'utf8'))
const channels = document?.channels().all() ?? []
console.log(
  JSON.stringify({
    diagnostics: diagnostics.map(({ severity, code, path, message }) => ({ severity, code, path, message })),
    channels: Object.fromEntries(
      channels.map((channel) => [channel.address(), channel.messages().all().map((message) => message.name())]),
    ),
  }),
)
