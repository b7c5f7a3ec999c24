-- Handles a pause in one call: credits the seconds that the clock allows, decides which ads were shown,
-- moves the session, and appends the event to the stream.
--
-- KEYS[1]   stream of events
-- KEYS[2]   session of user and video: hash of position (s), since (microseconds), open (0 or 1);
--           deleted at the end of the video
-- KEYS[3]   suppressed counts of the day: hash of counts by video and reason
-- KEYS[4]   stored reply for the client's idempotency key
-- ARGV[1]   user
-- ARGV[2]   owner
-- ARGV[3]   video
-- ARGV[4]   event id
-- ARGV[5]   position of the player, in seconds
-- ARGV[6]   the video's length, in seconds
-- ARGV[7]   maximum playback rate, in thousandths; 0 disables the cap
-- ARGV[8]   lifetime of positions, in seconds
-- ARGV[9]   lifetime of suppressed counts, in seconds
-- ARGV[10]  the request as text; empty if the client gave no idempotency key
-- ARGV[11]  lifetime of stored replies, in seconds
-- ARGV[12]  maximum number of entries that may wait to be persisted
-- ARGV[13]  consumer group of the event writers
-- ARGV[14]  clock of the calling process, in milliseconds since 1970
-- ARGV[15]  tolerance between clocks, in milliseconds
-- ARGV[16]  version of the rules of plays
-- ARGV[17]  distance between ad slots, in seconds
-- ARGV[18]  ids of the ads in the order in which they are shown, separated by commas; at least as many
--           as there are slots up to the position of the player, or all
-- Returns {'paused', credited, finished}, {'no session'}, {'backlog', entries, known}, {'reused'},
-- {'missing'} (the stream), {'clock', milliseconds} (of this server, if the process has another time)
-- or {'ahead', last id, milliseconds} (the stream is ahead of this server's clock).
local GRACE_S = 5
-- Above this limit the product below is not exact. No video is that long.
local EXACT = 9000000000000000

-- A missing stream is lost, or on another server.
if redis.call('EXISTS', KEYS[1]) == 0 then
    return {'missing'}
end
if ARGV[10] ~= '' then
    local known = redis.call('HMGET', KEYS[4], 'request', 'credited', 'finished')
    if known[1] then
        if known[1] ~= ARGV[10] then
            return {'reused'}
        end
        return {'paused', known[2], known[3]}
    end
end

-- A wrong clock is found before the first write, as in view_increment.lua.
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if math.abs(now_ms - tonumber(ARGV[14])) > tonumber(ARGV[15]) then
    return {'clock', string.format('%.0f', now_ms)}
end
local info = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do
    if info[i] == 'last-generated-id'
        and tonumber(string.match(info[i + 1], '^(%d+)-')) > now_ms + tonumber(ARGV[15]) then
        return {'ahead', info[i + 1], string.format('%.0f', now_ms)}
    end
end

local session = redis.call('HMGET', KEYS[2], 'position', 'since', 'open')
if session[3] ~= '1' then
    return {'no session'}
end

-- Counts unread entries and entries that were read but not acknowledged, as view_increment.lua does.
-- If Redis does not know the lag, every entry of the stream counts as waiting.
-- A rejected pause leaves the session unchanged: a later pause credits the same seconds.
local waiting, is_known = redis.call('XLEN', KEYS[1]), false
for _, of_group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local group = {}
    for i = 1, #of_group, 2 do
        group[of_group[i]] = of_group[i + 1]
    end
    if group['name'] == ARGV[13] and group['lag'] then
        waiting, is_known = group['lag'] + group['pending'], true
    end
end
if waiting >= tonumber(ARGV[12]) then
    return {'backlog', waiting, is_known and '1' or '0'}
end

local position, since = tonumber(session[1]), tonumber(session[2])
local current, rate = tonumber(ARGV[5]), tonumber(ARGV[7])
-- A session's time never decreases, even if the server's clock does: that time would count twice. A
-- time of the future is that of a wrong clock.
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
if since > now + tonumber(ARGV[15]) * 1000 then
    since = now
end
now = math.max(now, since)
local elapsed = now - since

local watched = math.max(0, current - position)
local allowed = watched
if rate > 0 and elapsed <= EXACT / rate then
    allowed = math.min(watched, math.floor(elapsed * rate / 1000000000) + GRACE_S)
end
local is_own = ARGV[1] == ARGV[2]
local credited = is_own and 0 or allowed
local capped = is_own and 0 or watched - allowed
local is_finished = current >= tonumber(ARGV[6])

local function text(number)
    return string.format('%.0f', number)
end

-- The ads of the slots in (position, position + credited], as core/domain/src/videos/ad.rs chooses them.
-- A video has at most 86,400 seconds, and so at most as many slots.
local interval = tonumber(ARGV[17])
local ads, shown = {}, {}
for id in string.gmatch(ARGV[18], '%d+') do
    ads[#ads + 1] = id
end
if #ads > 0 then
    for slot = math.floor(position / interval) + 1, math.floor((position + credited) / interval) do
        shown[#shown + 1] = text(slot * interval) .. ':' .. ads[(slot - 1) % #ads + 1]
    end
end

-- The first write. Redis does not roll back a script that fails after it.
redis.call('XADD', KEYS[1], '*', 'id', ARGV[4], 'kind', 'pause', 'user', ARGV[1], 'video', ARGV[3],
    'from', text(position), 'credited', text(credited), 'reported', text(credited + capped),
    'ads', table.concat(shown, ','), 'rules', ARGV[16])
if is_finished then
    redis.call('DEL', KEYS[2])
else
    redis.call('HSET', KEYS[2], 'position', text(current), 'since', text(now), 'open', '1')
    redis.call('EXPIRE', KEYS[2], ARGV[8])
end
if capped > 0 then
    redis.call('HINCRBY', KEYS[3], ARGV[3] .. ':capped', text(capped))
    redis.call('EXPIRE', KEYS[3], ARGV[9])
end
local finished = is_finished and '1' or '0'
if ARGV[10] ~= '' then
    redis.call('HSET', KEYS[4], 'request', ARGV[10], 'credited', text(credited), 'finished', finished)
    redis.call('EXPIRE', KEYS[4], ARGV[11])
end
return {'paused', text(credited), finished}
