-- Counts a view once per view window. With more keys it handles a whole play in one call.
--
-- KEYS[1]   view count of the video
-- KEYS[2]   view window of user and video: the key exists while a view would be a repeat, and its value
--           is the length of the window in seconds
-- ARGV[1]   user
-- ARGV[2]   owner
-- ARGV[3]   length of the view window, in seconds (0: every view counts)
-- ARGV[4]   increment of the count for a view
-- Returns -1 for the owner, -2 for a repeat, else the count as GET returns it.
--
-- With the following keys and arguments it also opens the session and appends the event to the
-- stream. It adds to the suppressed counts and stores the reply:
-- KEYS[3]   stream of events
-- KEYS[4]   session of user and video: hash of position (s), since (microseconds), open (0 or 1)
-- KEYS[5]   suppressed counts of the day: hash of counts by video and reason
-- KEYS[6]   stored reply for the client's idempotency key
-- KEYS[7]   highest assigned ids: hash of user and video
-- ARGV[5]   event id
-- ARGV[6]   video
-- ARGV[7]   lifetime of positions, in seconds
-- ARGV[8]   lifetime of suppressed counts, in seconds
-- ARGV[9]   the request as text; empty if the client gave no idempotency key
-- ARGV[10]  lifetime of stored replies, in seconds
-- ARGV[11]  maximum number of entries that may wait to be persisted
-- ARGV[12]  consumer group of the event writers
-- ARGV[13]  clock of the calling process, in milliseconds since 1970
-- ARGV[14]  tolerance between clocks, in milliseconds
-- ARGV[15]  version of the rules of plays
-- ARGV[16]  the video's length, in seconds
-- Returns {'playing', position, counted}, {'repeat', milliseconds left}, {'backlog', entries, known},
-- {'reused'}, {'missing'} (the stream), {'clock', milliseconds} (of this server, if the process has
-- another time) or {'ahead', last id, milliseconds} (the stream is ahead of this server's clock).
-- The range of the ids that Balance assigns (core/domain/src/ids.rs), exact as numbers of Lua.
local FIRST_ASSIGNED, LAST_ASSIGNED = 8000000000000000, 9007199254740991

local function is_assigned(id)
    return tonumber(id) >= FIRST_ASSIGNED and tonumber(id) <= LAST_ASSIGNED
end

local is_whole = #KEYS > 2
local is_own = ARGV[1] == ARGV[2]

if not is_whole and is_own then
    return -1
end
-- A missing stream is lost, or on another server.
if is_whole and redis.call('EXISTS', KEYS[3]) == 0 then
    return {'missing'}
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

-- The ID of an entry decides its day, and IDs never decrease. A wrong clock is found before the first
-- write, as in pause.lua.
local time
if is_whole then
    time = redis.call('TIME')
    local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
    if math.abs(now_ms - tonumber(ARGV[13])) > tonumber(ARGV[14]) then
        return {'clock', string.format('%.0f', now_ms)}
    end
    local info = redis.call('XINFO', 'STREAM', KEYS[3])
    for i = 1, #info, 2 do
        if info[i] == 'last-generated-id'
            and tonumber(string.match(info[i + 1], '^(%d+)-')) > now_ms + tonumber(ARGV[14]) then
            return {'ahead', info[i + 1], string.format('%.0f', now_ms)}
        end
    end
end

if not is_own and redis.call('EXISTS', KEYS[2]) == 1 then
    if not is_whole then
        return -2
    end
    -- After a step back of the clock the key lives longer than its window, whose length is its value.
    -- Version 0.1 stored 1 for every length.
    local left, window_s = redis.call('PTTL', KEYS[2]), tonumber(redis.call('GET', KEYS[2]))
    if window_s > 1 and left > window_s * 1000 then
        redis.call('EXPIRE', KEYS[2], window_s)
        left = window_s * 1000
    end
    redis.call('HINCRBY', KEYS[5], ARGV[6] .. ':repeat', 1)
    redis.call('EXPIRE', KEYS[5], ARGV[8])
    return {'repeat', left}
end

local position = '0'
if is_whole then
    -- Counts unread entries and entries that were read but not acknowledged, as pause.lua does.
    local waiting, is_known = redis.call('XLEN', KEYS[3]), false
    for _, of_group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[3])) do
        local group = {}
        for i = 1, #of_group, 2 do
            group[of_group[i]] = of_group[i + 1]
        end
        -- The lag is unknown while a deleted entry lies ahead of the group. Then every entry of the
        -- stream counts as waiting, and the caller restores the lag (restore_lag.lua).
        if group['name'] == ARGV[12] and group['lag'] then
            waiting, is_known = group['lag'] + group['pending'], true
        end
    end
    if waiting >= tonumber(ARGV[11]) then
        return {'backlog', waiting, is_known and '1' or '0'}
    end
    local last = redis.call('HMGET', KEYS[4], 'position', 'since')
    position = last[1] or '0'
    -- A session's time never decreases, even if the server's clock does: that time would count
    -- twice. A time of the future is that of a wrong clock.
    local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
    local since = tonumber(last[2] or 0)
    if since <= now + tonumber(ARGV[14]) * 1000 then
        now = math.max(now, since)
    end
    -- The first write. Redis does not roll back a script that fails after it.
    redis.call('XADD', KEYS[3], '*', 'id', ARGV[5], 'kind', 'play', 'user', ARGV[1],
        'video', ARGV[6], 'counted', is_own and '0' or '1', 'rules', ARGV[15], 'owner', ARGV[2],
        'length', ARGV[16])
    -- A database that was restored from a backup must not assign these ids again.
    local highest = redis.call('HMGET', KEYS[7], 'user', 'video')
    local highest_user, highest_video = tonumber(highest[1] or 0), tonumber(highest[2] or 0)
    for _, text in ipairs({ARGV[1], ARGV[2]}) do
        if is_assigned(text) and tonumber(text) > highest_user then
            highest_user = tonumber(text)
            redis.call('HSET', KEYS[7], 'user', text)
        end
    end
    if is_assigned(ARGV[6]) and tonumber(ARGV[6]) > highest_video then
        redis.call('HSET', KEYS[7], 'video', ARGV[6])
    end
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
        redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[3])
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
