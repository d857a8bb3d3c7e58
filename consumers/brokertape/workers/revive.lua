-- Give a dead letter back to its group: pending again, as if it had never been tried, and for so long that any worker
-- may take it over at once.
--
-- KEYS  1 stream, 2 its dead-letter stream (one Cluster slot)
-- ARGV  1 group, 2 id of the dead letter, 3 consumer it is put down to, 4 idle time (ms) it pretends
--
-- Reply: 'OK'; 'GONE' if there is no such letter; 'TRIMMED' if its entry is no longer on the stream: nothing is done.

local letter = redis.call('XRANGE', KEYS[2], ARGV[2], ARGV[2])[1]
if not letter then
  return 'GONE'
end
local entry_id
for i = 1, #letter[2], 2 do
  if letter[2][i] == 'entry_id' then
    entry_id = letter[2][i + 1]  -- the last of that name is ours: the entry's own fields come first
  end
end
if not entry_id or #redis.call('XRANGE', KEYS[1], entry_id, entry_id) == 0 then
  return 'TRIMMED'
end
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, entry_id, 'IDLE', ARGV[4], 'RETRYCOUNT', 0, 'FORCE', 'JUSTID')
redis.call('XDEL', KEYS[2], ARGV[2])
return 'OK'
