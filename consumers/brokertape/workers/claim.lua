-- Take over every entry of a group that nobody acknowledged or renewed for a while, without delivering it.
--
-- KEYS  stream
-- ARGV  1 group, 2 consumer, 3 least idle time (ms)
--
-- JUSTID, because the delivery count must rise when an entry is handed over alone, not because it lay beside one that
-- kills workers. Redis drops trimmed entries from the pending list here and tells us once.
--
-- Reply: {how many were taken over from others, ids that were trimmed}

local mine = #redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], '-', '+', 1000000, ARGV[2])
local claimed, trimmed, cursor = 0, {}, '0-0'
repeat
  local page = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], cursor, 'COUNT', 100, 'JUSTID')
  cursor = page[1]
  claimed = claimed + #page[2]
  for _, id in ipairs(page[3]) do
    trimmed[#trimmed + 1] = id
  end
until cursor == '0-0'
return {math.max(0, claimed - mine), trimmed}
