-- Takes old entries off one stream, but none that a group still needs, unless a cap is hit.
--
-- KEYS  stream
-- ARGV  1 oldest id to keep by age, 2 oldest id to keep at all, 3 most entries to keep at all
-- Reply: {entries removed, names of the groups that a cap took entries from}

if redis.call('EXISTS', KEYS[1]) == 0 then
  return {0, {}}
end

local function is_before(one, other)
  local one_ms, one_seq = string.match(one, '(%d+)%-?(%d*)')
  local other_ms, other_seq = string.match(other, '(%d+)%-?(%d*)')
  one_ms, other_ms = tonumber(one_ms), tonumber(other_ms)
  if one_ms ~= other_ms then
    return one_ms < other_ms
  end
  return (tonumber(one_seq) or 0) < (tonumber(other_seq) or 0)
end

-- What a group still needs begins at its oldest unacknowledged entry, else at what it was last given.
local needs = {}
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local fields = {}
  for i = 1, #group, 2 do
    fields[group[i]] = group[i + 1]
  end
  local pending = redis.call('XPENDING', KEYS[1], fields['name'])
  needs[fields['name']] = pending[2] or fields['last-delivered-id']
end

local floor = ARGV[1]
for _, id in pairs(needs) do
  if is_before(id, floor) then
    floor = id
  end
end
if is_before(floor, ARGV[2]) then
  floor = ARGV[2]
end

local removed = redis.call('XTRIM', KEYS[1], 'MINID', '~', floor)
removed = removed + redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[3])

local cut = {}
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
if removed > 0 and first[1] then
  for name, id in pairs(needs) do
    if is_before(id, first[1][1]) then
      cut[#cut + 1] = name
    end
  end
end
return {removed, cut}
