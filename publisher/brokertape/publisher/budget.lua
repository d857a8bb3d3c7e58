-- The rolling window of one gateway account: a sorted set of request ids, scored in ms on this server's own clock.
--
-- KEYS  window, marker (one Cluster slot)
-- ARGV  1 'reserve', 'settle' or 'pause', 2 request id; for settle also
--       3 for how long all that can wait rests after a refusal (ms), 0 without one; 4, 5 by how much a refusal widens
--       the guard, and how wide it gets (ms)
--       for reserve and pause
--       3 limit, 4 window (ms, the caller's own guard included), 5 request timeout (ms), 6 '1' if a tape existed before us
--       7 quiet (ms): 0 for live; what can wait stands back so long behind a live list that has work
--       8 spacing (ms) of what can wait, 9 the caller's own guard (ms)
--
-- reserve: a slot is granted when fewer than `limit` members lie above now - window. The member's score is then
-- now + timeout, so that a crash over-counts and never under-counts; settle lowers it to now, at the reply.
-- If the window was lost (key gone, or another server than it was kept on) while a tape exists, nobody knows what
-- was sent: everybody pauses for one window, once. The marker holds that server and the end of the pause, when live
-- last asked and when before that, until when a refusal holds what can wait, and when the last request left that can
-- wait; and the guard that refusals have taught everybody, which is kept over restarts and forgotten after a week without.
--
-- Reply of reserve: {1, 0, 0} granted, {0, wait (ms), 0 or 1}: the last says that it is the pause. Of pause, which takes
-- no slot: the same as long as it lasts, then {1, 0, 0}.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local GUARD_KEPT = 7 * 86400000

local function text(ms)
  return string.format('%d', ms)
end

local function learnt_guard()
  local f = redis.call('HMGET', KEYS[2], 'guard', 'guard_at')
  local guard, at = tonumber(f[1] or '') or 0, tonumber(f[2] or '') or 0
  return now - at < GUARD_KEPT and guard or 0
end

if ARGV[1] == 'settle' then
  redis.call('ZADD', KEYS[1], text(now), ARGV[2])
  if tonumber(ARGV[3]) > 0 then
    local guard = math.min(learnt_guard() + tonumber(ARGV[4]), tonumber(ARGV[5]))
    redis.call('HSET', KEYS[2], 'held_until', text(now + tonumber(ARGV[3])), 'guard', text(guard), 'guard_at', text(now))
  end
  return {1, 0, 0}
end

local limit, window, timeout = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local quiet, spacing = tonumber(ARGV[7]), tonumber(ARGV[8])
window = window + math.max(0, learnt_guard() - tonumber(ARGV[9]))

-- The clock may have been set back: nobody waits longer for a stamp than one made now would have it.
local function wait_until(stamp, longest)
  return math.min((tonumber(stamp) or 0) - now, longest)
end

local function wait_behind_live()
  local f = redis.call('HMGET', KEYS[2], 'live_at', 'live_before', 'held_until', 'behind_at')
  local live_at, live_before = tonumber(f[1] or '') or 0, tonumber(f[2] or '') or 0
  local has_work = live_at - live_before < quiet
  return math.max(
    has_work and wait_until(live_at + quiet, quiet) or 0,
    wait_until(f[3] or '', 30000),
    wait_until((tonumber(f[4] or '') or 0) + spacing, spacing))
end

if quiet == 0 and ARGV[1] == 'reserve' then
  local before = redis.call('HGET', KEYS[2], 'live_at')
  redis.call('HSET', KEYS[2], 'live_before', before or '0', 'live_at', text(now))
end

local server = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local marker = redis.call('HMGET', KEYS[2], 'server', 'resume_at')
local is_lost = marker[1] ~= server or redis.call('EXISTS', KEYS[1]) == 0

if is_lost and not (marker[1] == server and marker[2]) then
  local resume_at = ARGV[6] == '1' and now + window or now
  redis.call('HSET', KEYS[2], 'server', server, 'resume_at', text(resume_at))
  marker[2] = tostring(resume_at)
end
if marker[2] then
  local wait = wait_until(marker[2], window)
  if wait > 0 then
    return {0, wait, 1}
  end
end

if ARGV[1] == 'pause' then
  return {1, 0, 0}
end

-- Before anything is taken off the window: emptied without a grant, it would seem lost.
if quiet > 0 then
  local wait = wait_behind_live()
  if wait > 0 then
    return {0, math.ceil(wait), 0}
  end
end

-- Stamps that only a clock that has since been set back can have made: made now, they count as long as any can.
local cap = now + timeout + window
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. text(cap), '+inf')) do
  redis.call('ZADD', KEYS[1], text(now + timeout), id)
end

-- Anything that any caller's guard can still count stays; what is a minute old cannot.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now - window - 60000))
local above = '(' .. text(now - window)
local excess = redis.call('ZCOUNT', KEYS[1], above, '+inf') - limit
if excess >= 0 then
  local oldest = redis.call('ZRANGEBYSCORE', KEYS[1], above, '+inf', 'WITHSCORES', 'LIMIT', excess, 1)
  return {0, math.max(1, math.ceil(tonumber(oldest[2]) + window - now)), 0}
end
redis.call('HDEL', KEYS[2], 'resume_at')
if quiet > 0 then
  redis.call('HSET', KEYS[2], 'behind_at', text(now))
end
redis.call('ZADD', KEYS[1], text(now + timeout), ARGV[2])
return {1, 0, 0}
