-- Move one entry from a group's pending list to its dead-letter stream, in one step.
--
-- KEYS  tape, dead-letter stream (one Cluster slot)
-- ARGV  1 group, 2 entry id, 3 attempts, 4 error, 5 consumer, 6 most entries to keep, 7-… the entry's own fields
--
-- The dead entry has the fields of the original, then entry_id, attempts, error, consumer. XADD comes first: should it
-- fail (out of memory), the entry is still pending. Whoever is second finds it no longer pending and adds nothing.
--
-- Reply: the dead entry's id, or nil.

if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then
  return nil
end
local fields = {unpack(ARGV, 7)}
for _, part in ipairs({'entry_id', ARGV[2], 'attempts', ARGV[3], 'error', ARGV[4], 'consumer', ARGV[5]}) do
  fields[#fields + 1] = part
end
local dead_id = redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], '*', unpack(fields))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return dead_id
