-- A book and the server it is on, in one step.
-- KEYS  book
-- Reply: {server, fields and values}
return {string.match(redis.call('INFO', 'server'), 'run_id:(%w+)'), redis.call('HGETALL', KEYS[1])}
