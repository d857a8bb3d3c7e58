-- The books of one partition and the end of its tape, at one moment.
--
-- KEYS  1 tape, 2 codes, 3-… the book of every code (one Cluster slot)
--
-- Reply: {last generated id, {fields and values of a book}, …}; nil if there are other codes by now than books asked for.

if redis.call('SCARD', KEYS[2]) ~= #KEYS - 2 then
  return nil
end
local reply = {'0-0'}
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      reply[1] = info[i + 1]
    end
  end
end
for i = 3, #KEYS do
  reply[#reply + 1] = redis.call('HGETALL', KEYS[i])
end
return reply
