-- Compare-and-set of one poll: tape entry, book and code list together, or nothing.
--
-- KEYS  book, tape, codes (one Cluster slot)
-- ARGV  1     'append', 'restart' (append a baseline that begins an epoch) or 'touch'
--       2-4   epoch, seq, commit of the book the poll was judged against; three empty strings: no book
--       append and restart:
--       5     code
--       6     random id of this commit
--       7-10  topic, type, encoding, payload of the entry
--       11-…  the book's fields and values, but entry_id and server
--       touch:
--       5-7   asked_at, observed_at, data_time (empty: unknown)
--
-- Reply: {'OK' | 'DUP' | 'CONFLICT', entry_id, server}. DUP: this very commit is stored already (its reply was lost).
-- CONFLICT: another book is stored, or it was written under another server and no epoch was begun since.
-- A script is atomic but not transactional: everything is checked first, and what can fail is written first.

local mode = ARGV[1]
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local book = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'commit', 'entry_id', 'server')

if mode ~= 'touch' and book[3] == ARGV[6] then
  return {'DUP', book[4], book[5]}
end
for i = 1, 3 do
  if (book[i] or '') ~= ARGV[i + 1] then
    return {'CONFLICT', '', server}
  end
end
if mode ~= 'restart' and book[5] ~= server then
  return {'CONFLICT', '', server}
end

if mode == 'touch' then
  local names = {'asked_at', 'observed_at', 'data_time'}
  local stored = redis.call('HMGET', KEYS[1], unpack(names))
  for i = 1, 3 do
    local new = tonumber(ARGV[i + 4])
    if new and new > (tonumber(stored[i] or '') or -1) then
      redis.call('HSET', KEYS[1], names[i], ARGV[i + 4])
    end
  end
  return {'OK', book[4], server}
end

redis.call('SADD', KEYS[3], ARGV[5])
local entry_id = redis.call('XADD', KEYS[2], '*',
  'topic', ARGV[7], 'type', ARGV[8], 'encoding', ARGV[9], 'payload', ARGV[10])
redis.call('HSET', KEYS[1], 'entry_id', entry_id, 'server', server, unpack(ARGV, 11))
return {'OK', entry_id, server}
