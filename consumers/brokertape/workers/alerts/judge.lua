-- Write what judging a batch has led to, in one step: what is remembered, how far it came, and the alerts.
--
-- KEYS  state (hash), outbox (stream), in one Cluster slot
-- ARGV  1 token, 2 most alerts to keep, 3 count of what is expected, then field and value of each ('' for none),
--       a count of what is set, then field and value of each ('' deletes it), then type, topic and payload of each alert
--
-- Field `token` holds the highest token that ever wrote: a worker whose lease has gone to another writes nothing.
-- What is expected is what the writer began with: if it is not there, it was written already, or lost.
--
-- Reply: 'OK', 'FENCED' or 'MOVED'.

local token = tonumber(redis.call('HGET', KEYS[1], 'token') or '0')
if token > tonumber(ARGV[1]) then
  return 'FENCED'
end
local place = 4
for _ = 1, tonumber(ARGV[3]) do
  if (redis.call('HGET', KEYS[1], ARGV[place]) or '') ~= ARGV[place + 1] then
    return 'MOVED'
  end
  place = place + 2
end
local sets = tonumber(ARGV[place])
place = place + 1
for _ = 1, sets do
  if ARGV[place + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[place])
  else
    redis.call('HSET', KEYS[1], ARGV[place], ARGV[place + 1])
  end
  place = place + 2
end
redis.call('HSET', KEYS[1], 'token', ARGV[1])
while place <= #ARGV do
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*',
    'topic', ARGV[place + 1], 'type', ARGV[place], 'encoding', 'json', 'payload', ARGV[place + 2])
  place = place + 3
end
return 'OK'
