-- Who owns which partition of a group: one member's call, which renews what it has and takes its share of what is free.
--
-- KEYS  leases (hash)
-- ARGV  1 holder, 2 lease (ms), 3 partitions, 4 'take', 'keep' (take nothing more) or 'leave' (give up all),
--       5-… partitions it gives up
--
-- Fields: `holder:<holder>` → expiry (ms) of a member; `partition:<n>` → `<expiry> <token> <holder>`; `token` → the last
-- one given; `opens` → when partitions are first given. Times are this server's.
--
-- A token is given with every change of owner, higher than any before: it begins at the clock, so that it rises even if
-- this hash was lost. Where there is no hash nobody knows who still works: nothing is given before one lease is over.
--
-- Reply: {share, n, token, n, token, …}: how many partitions a member may hold, and those that are the holder's now.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local holder, lease, partitions, mode = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]

local function text(number)
  return string.format('%d', number)
end

local opens = tonumber(redis.call('HGET', KEYS[1], 'opens') or '')
if not opens then
  opens = now + lease
  redis.call('HSET', KEYS[1], 'opens', text(opens))
end

for i = 5, #ARGV do
  local held = redis.call('HGET', KEYS[1], 'partition:' .. ARGV[i])
  if held and string.match(held, '^%d+ %d+ (.*)$') == holder then
    redis.call('HDEL', KEYS[1], 'partition:' .. ARGV[i])
  end
end
if mode == 'leave' then
  redis.call('HDEL', KEYS[1], 'holder:' .. holder)
else
  redis.call('HSET', KEYS[1], 'holder:' .. holder, text(now + lease))
end

-- An expiry far ahead was written before the clock stepped back: it counts as over.
local function is_over(expiry)
  return expiry <= now or expiry > now + 3 * lease
end

local members, leases, all = 0, {}, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local member = string.match(all[i], '^holder:(.*)$')
  local partition = string.match(all[i], '^partition:(%d+)$')
  if member and not is_over(tonumber(all[i + 1])) then
    members = members + 1
  elseif member then
    redis.call('HDEL', KEYS[1], all[i])
  elseif partition then
    leases[tonumber(partition)] = all[i + 1]
  end
end

local share = mode == 'leave' and 0 or math.ceil(partitions / members)
local reply, free = {share}, {}
for n = 0, partitions - 1 do
  local ends, token, owner = string.match(leases[n] or '0 0 ', '^(%d+) (%d+) (.*)$')
  if owner == holder and mode == 'leave' then
    redis.call('HDEL', KEYS[1], 'partition:' .. n)
  elseif owner == holder then  -- also when it is over: nobody else has taken it
    redis.call('HSET', KEYS[1], 'partition:' .. n, text(now + lease) .. ' ' .. token .. ' ' .. holder)
    reply[#reply + 1] = n
    reply[#reply + 1] = tonumber(token)
  elseif is_over(tonumber(ends)) then
    free[#free + 1] = n
  end
end
if mode ~= 'take' or (now < opens and opens <= now + 3 * lease) then
  return reply
end
for _, n in ipairs(free) do
  if (#reply - 1) / 2 >= share then
    break
  end
  local token = math.max(tonumber(redis.call('HGET', KEYS[1], 'token') or '0') + 1, now)
  redis.call('HSET', KEYS[1], 'token', text(token),
    'partition:' .. n, text(now + lease) .. ' ' .. text(token) .. ' ' .. holder)
  reply[#reply + 1] = n
  reply[#reply + 1] = token
end
return reply
