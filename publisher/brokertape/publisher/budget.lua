-- The rolling window of one gateway account: a sorted set of request ids, scored in ms on this server's own clock.
--
-- KEYS  window, marker (one Cluster slot)
-- ARGV  1 'reserve' or 'settle', 2 request id; for reserve also
--       3 limit, 4 window (ms, guard included), 5 request timeout (ms), 6 '1' if a tape existed before us
--
-- reserve: a slot is granted when fewer than `limit` members lie above now - window. The member's score is then
-- now + timeout, so that a crash over-counts and never under-counts; settle lowers it to now, at the reply.
-- If the window was lost (key gone, or another server than it was kept on) while a tape exists, nobody knows what
-- was sent: everybody pauses for one window, once. The marker holds that server and the end of the pause.
--
-- Reply of reserve: {1, 0, 0} granted, {0, wait (ms), 0 or 1}: the last says that it is the pause.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local stamp = string.format('%d', now)

if ARGV[1] == 'settle' then
  redis.call('ZADD', KEYS[1], stamp, ARGV[2])
  return {1, 0, 0}
end

local limit, window = tonumber(ARGV[3]), tonumber(ARGV[4])
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local marker = redis.call('HMGET', KEYS[2], 'server', 'resume_at')
local is_lost = marker[1] ~= server or redis.call('EXISTS', KEYS[1]) == 0

if is_lost and not (marker[1] == server and marker[2]) then
  local resume_at = ARGV[6] == '1' and now + window or now
  redis.call('HSET', KEYS[2], 'server', server, 'resume_at', string.format('%d', resume_at))
  marker[2] = tostring(resume_at)
end
if marker[2] then
  local wait = tonumber(marker[2]) - now
  if wait > 0 then
    return {0, wait, 1}
  end
end

-- Anything that any caller's guard can still count stays; what is a minute old cannot.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%d', now - window - 60000))
local above = '(' .. string.format('%d', now - window)
local excess = redis.call('ZCOUNT', KEYS[1], above, '+inf') - limit
if excess >= 0 then
  local oldest = redis.call('ZRANGEBYSCORE', KEYS[1], above, '+inf', 'WITHSCORES', 'LIMIT', excess, 1)
  return {0, math.max(1, math.ceil(tonumber(oldest[2]) + window - now)), 0}
end
redis.call('HDEL', KEYS[2], 'resume_at')
redis.call('ZADD', KEYS[1], string.format('%d', now + tonumber(ARGV[5])), ARGV[2])
return {1, 0, 0}
