// Asking the publishers for codes: they poll what somebody asks for, and stop when nobody does any more.

const TTL_MS = 30_000
const RENEW_MS = 10_000 // two renewals may fail before we are forgotten

/** Ask for `codes` under `name`, again and again; returns a function that takes it back. */
export async function askFor(client, keys, codes, name, want) {
  const members = codes.map((code) => `${code}|${name}`)
  const ask = async () => {
    const [seconds] = await client.time() // Redis' clock, not ours
    const expiry = 1000 * Number(seconds) + TTL_MS
    await client.zAdd(keys.interest, members.map((value) => ({ value, score: expiry })))
    await client.hSet(keys.want, Object.fromEntries(members.map((member) => [member, JSON.stringify(want)])))
  }
  await ask()
  const timer = setInterval(() => ask().catch(() => {}), RENEW_MS) // the next one may succeed; an expiry is no harm
  return async () => {
    clearInterval(timer)
    await client.hDel(keys.want, members)
    await client.zRem(keys.interest, members)
  }
}
