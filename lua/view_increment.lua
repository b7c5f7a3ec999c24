-- Counts a view once: the gate of the platform, and, with more keys, all that a play is in one call.
--
-- KEYS[1]   count of the video's views
-- KEYS[2]   gate of user and video: it is there while a view would be a repeat
-- ARGV[1]   user
-- ARGV[2]   owner
-- ARGV[3]   how long the gate stays closed, in seconds (0: it never closes)
-- ARGV[4]   what a view adds to the count
-- Returns -1 for the owner, -2 for a repeat, else the count as GET gives it.
--
-- With these as well it also writes the event down, opens the session, counts refusals, and remembers
-- what it answered:
-- KEYS[3]   stream of events
-- KEYS[4]   session of user and video: hash of position (s), since (microseconds), open (0 or 1)
-- KEYS[5]   refusals of the day: hash of counts by video and reason
-- KEYS[6]   answer to the client's key
-- ARGV[5]   event id
-- ARGV[6]   video
-- ARGV[7]   how long positions live, in seconds
-- ARGV[8]   how long refusals live, in seconds
-- ARGV[9]   the request as text, or nothing where the client gave no key
-- ARGV[10]  how long answers live, in seconds
-- ARGV[11]  the most entries that may wait to be written down
-- ARGV[12]  consumer group of those who write down
-- Returns {'playing', position, counted}, {'repeat', milliseconds left}, {'backlog', entries} or
-- {'reused'}.
local is_whole = #KEYS > 2
local is_own = ARGV[1] == ARGV[2]

if not is_whole and is_own then
    return -1
end
if is_whole and ARGV[9] ~= '' then
    local known = redis.call('HMGET', KEYS[6], 'request', 'position', 'counted')
    if known[1] then
        if known[1] ~= ARGV[9] then
            return {'reused'}
        end
        return {'playing', known[2], known[3]}
    end
end

if not is_own and redis.call('EXISTS', KEYS[2]) == 1 then
    if not is_whole then
        return -2
    end
    redis.call('HINCRBY', KEYS[5], ARGV[6] .. ':repeat', 1)
    redis.call('EXPIRE', KEYS[5], ARGV[8])
    return {'repeat', redis.call('PTTL', KEYS[2])}
end

local position = '0'
if is_whole then
    -- What nobody has read yet, and what was read and not written down; as in pause.lua.
    local waiting = 0
    if redis.call('EXISTS', KEYS[3]) == 1 then
        waiting = redis.call('XLEN', KEYS[3])
        for _, of_group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[3])) do
            local group = {}
            for i = 1, #of_group, 2 do
                group[of_group[i]] = of_group[i + 1]
            end
            -- The lag is not known while a deleted entry lies ahead of the group: then everything
            -- that is there may wait.
            if group['name'] == ARGV[12] and group['lag'] then
                waiting = group['lag'] + group['pending']
            end
        end
    end
    if waiting >= tonumber(ARGV[11]) then
        return {'backlog', waiting}
    end
    local last = redis.call('HMGET', KEYS[4], 'position', 'since')
    position = last[1] or '0'
    -- A session's time never goes back, whatever the server's does: it would pass twice.
    local time = redis.call('TIME')
    local now = math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), tonumber(last[2] or 0))
    -- The first write: nothing is rolled back.
    redis.call('XADD', KEYS[3], '*', 'id', ARGV[5], 'kind', 'play', 'user', ARGV[1],
        'video', ARGV[6], 'counted', is_own and '0' or '1')
    redis.call('HSET', KEYS[4], 'position', position, 'since', string.format('%.0f', now),
        'open', '1')
    redis.call('EXPIRE', KEYS[4], ARGV[7])
    if is_own then
        redis.call('HINCRBY', KEYS[5], ARGV[6] .. ':own', 1)
        redis.call('EXPIRE', KEYS[5], ARGV[8])
    end
end

if not is_own then
    if tonumber(ARGV[3]) > 0 then
        redis.call('SET', KEYS[2], '1', 'EX', ARGV[3])
    end
    redis.call('INCRBY', KEYS[1], ARGV[4])
end
if not is_whole then
    return redis.call('GET', KEYS[1])
end

local counted = is_own and '0' or '1'
if ARGV[9] ~= '' then
    redis.call('HSET', KEYS[6], 'request', ARGV[9], 'position', position, 'counted', counted)
    redis.call('EXPIRE', KEYS[6], ARGV[10])
end
return {'playing', position, counted}
