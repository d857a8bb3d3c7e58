-- Forget consumers of a group that hold nothing: those silent for long, and one that leaves.
--
-- KEYS  stream
-- ARGV  1 group, 2 idle time (ms) after which a consumer is gone, 3 the consumer that leaves, or empty
--
-- DELCONSUMER drops what a consumer holds, so only one that holds nothing may go; the check and the deed are one step.

for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #info, 2 do
    consumer[info[i]] = info[i + 1]
  end
  local is_gone = consumer['idle'] >= tonumber(ARGV[2]) or consumer['name'] == ARGV[3]
  if is_gone and consumer['pending'] == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer['name'])
  end
end
