-- One past day of one code: the stream entry and the memory of it together, or nothing.
--
-- KEYS  history stream, memory of that trading date (one Cluster slot): hash of code → 'published <commit>', the
--       commit a random id, 'absent <date on which the gateway had none>', or 'end <date>' if it refused that day
-- ARGV  1 'publish', 'again' (publish what was published before as well) or 'absent', 2 code
--       3 for how long it is remembered after the last write (ms)
--       publish and again: 4 commit, 5-8 topic, type, encoding, payload of the entry
--       absent: 4 what is remembered
--
-- Reply: 1 written, 0 not: it is published already, by this very commit (its reply was lost) or by an earlier one.

local known = redis.call('HGET', KEYS[2], ARGV[2])
local is_published = known and string.sub(known, 1, 9) == 'published'

if is_published and (ARGV[1] ~= 'again' or known == 'published ' .. ARGV[4]) then
  return 0
end

local memory = ARGV[4]
if ARGV[1] ~= 'absent' then
  redis.call('XADD', KEYS[1], '*', 'topic', ARGV[5], 'type', ARGV[6], 'encoding', ARGV[7], 'payload', ARGV[8])
  memory = 'published ' .. ARGV[4]
end
redis.call('HSET', KEYS[2], ARGV[2], memory)
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
