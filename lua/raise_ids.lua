#!lua flags=allow-oom
-- Raises the highest ids that a shard has seen. view_increment.lua does so for each play.
--
-- KEYS[1]  highest assigned ids: hash of user and video
-- ARGV[1]  user
-- ARGV[2]  video
for i, field in ipairs({'user', 'video'}) do
    local highest = redis.call('HGET', KEYS[1], field)
    if not highest or tonumber(ARGV[i]) > tonumber(highest) then
        redis.call('HSET', KEYS[1], field, ARGV[i])
    end
end
