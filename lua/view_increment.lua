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
-- With the following keys and arguments, and the functions of viewer.lua, it also opens the session
-- within the viewer's budgets and appends the event to the stream. It adds to the suppressed counts and
-- stores the reply:
-- KEYS[3]   stream of events
-- KEYS[4]   session of user and video: hash of position (s)
-- KEYS[5]   suppressed counts of the day: hash of counts by video and reason
-- KEYS[6]   stored reply for the client's idempotency key
-- KEYS[7]   highest assigned ids: hash of user and video
-- KEYS[8]   budgets and open sessions of the viewer: hash, see viewer.lua
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
-- ARGV[17]  whether the viewer's account is new: 1, 0, or empty if that is unknown
-- ARGV[18]  lifetime of the viewer's budgets, in seconds
-- ARGV[19]  interval of the limit of views, in microseconds
-- ARGV[20]  burst of the limit of views
-- ARGV[21]  seconds that a session must be credited before its view counts; 0: a view counts at its play
-- Returns {'playing', position, counted}, {'repeat', milliseconds left}, {'too many', milliseconds
-- left}, {'backlog', entries, known}, {'reused'}, {'missing'} (the stream), {'clock', milliseconds} (of
-- this server, if the process has another time) or {'ahead', last id, milliseconds} (the stream is ahead
-- of this server's clock).
local is_own = ARGV[1] == ARGV[2]

local function open_window()
    if tonumber(ARGV[3]) > 0 then
        redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[3])
    end
end

if #KEYS == 2 then
    if is_own then
        return -1
    end
    if redis.call('EXISTS', KEYS[2]) == 1 then
        return -2
    end
    open_window()
    redis.call('INCRBY', KEYS[1], ARGV[4])
    return redis.call('GET', KEYS[1])
end

-- The range of the ids that Balance assigns (core/domain/src/ids.rs), exact as numbers of Lua.
local FIRST_ASSIGNED, LAST_ASSIGNED = 8000000000000000, 9007199254740991

local function is_assigned(id)
    return tonumber(id) >= FIRST_ASSIGNED and tonumber(id) <= LAST_ASSIGNED
end

-- A database that was restored from a backup must not assign these ids again.
local function record_highest_ids(user, owner, video)
    local highest = redis.call('HMGET', KEYS[7], 'user', 'video')
    local highest_user, highest_video = tonumber(highest[1] or 0), tonumber(highest[2] or 0)
    for _, id in ipairs({user, owner}) do
        if is_assigned(id) and tonumber(id) > highest_user then
            highest_user = tonumber(id)
            redis.call('HSET', KEYS[7], 'user', id)
        end
    end
    if is_assigned(video) and tonumber(video) > highest_video then
        redis.call('HSET', KEYS[7], 'video', video)
    end
end

-- A missing stream is lost, or on another server.
if redis.call('EXISTS', KEYS[3]) == 0 then
    return {'missing'}
end
if ARGV[9] ~= '' then
    local known = redis.call('HMGET', KEYS[6], 'request', 'position', 'counted')
    if known[1] then
        if known[1] ~= ARGV[9] then
            return {'reused'}
        end
        return {'playing', known[2], known[3]}
    end
end
local now, wrong_clock = checked_time(KEYS[3], ARGV[13], ARGV[14])
if wrong_clock then
    return wrong_clock
end

if not is_own and redis.call('EXISTS', KEYS[2]) == 1 then
    -- After a step back of the clock the key lives longer than its window, whose length is its value.
    -- Version 0.1 stored 1 for every length.
    local left, window_s = redis.call('PTTL', KEYS[2]), tonumber(redis.call('GET', KEYS[2]))
    if window_s > 1 and left > window_s * 1000 then
        redis.call('EXPIRE', KEYS[2], window_s)
        left = window_s * 1000
    end
    suppress(KEYS[5], ARGV[6], 'repeat', 1, ARGV[8])
    return {'repeat', left}
end

local viewer, open_position, position = read_viewer(KEYS[8], KEYS[4], ARGV[6], now, ARGV[14])
local views, wait_ms = take(viewer.views, viewer.last, tonumber(ARGV[19]), tonumber(ARGV[20]))
if not views then
    suppress(KEYS[5], ARGV[6], 'rate', 1, ARGV[8])
    return {'too many', wait_ms}
end
local full = full_backlog(KEYS[3], ARGV[12], ARGV[11])
if full then
    return full
end
viewer.views = views
-- The pause that credits enough seconds counts the view of a session with uncounted seconds.
local is_counted = not is_own and tonumber(ARGV[21]) == 0
open_session(viewer, ARGV[6], viewer.last, (is_own or is_counted) and -1 or 0)
local resumed, counted = text(position or 0), is_counted and '1' or '0'

-- The event is the first write. Redis does not roll back a script that fails after it. The history has
-- one play of each session of the owner.
if not is_own or not open_position then
    redis.call('XADD', KEYS[3], '*', 'id', ARGV[5], 'kind', 'play', 'user', ARGV[1],
        'video', ARGV[6], 'counted', counted, 'rules', ARGV[15], 'owner', ARGV[2],
        'length', ARGV[16], 'new', ARGV[17])
    record_highest_ids(ARGV[1], ARGV[2], ARGV[6])
end
redis.call('HSET', KEYS[4], 'position', resumed)
redis.call('EXPIRE', KEYS[4], ARGV[7])
write_viewer(viewer, KEYS[8], KEYS[4], ARGV[18])
if is_own then
    suppress(KEYS[5], ARGV[6], 'own', 1, ARGV[8])
else
    open_window()
end
if is_counted then
    redis.call('INCRBY', KEYS[1], ARGV[4])
end
if ARGV[9] ~= '' then
    redis.call('HSET', KEYS[6], 'request', ARGV[9], 'position', resumed, 'counted', counted)
    redis.call('EXPIRE', KEYS[6], ARGV[10])
end
return {'playing', resumed, counted}
