-- Handles a pause in one call: credits the seconds that the viewer's budgets hold, decides which ads were
-- shown, moves the position, and appends the event to the stream. Needs the functions of viewer.lua.
--
-- KEYS[1]   stream of events
-- KEYS[2]   session of user and video: hash of position (s); deleted at the end of the video
-- KEYS[3]   suppressed counts of the day: hash of counts by video and reason
-- KEYS[4]   stored reply for the client's idempotency key
-- KEYS[5]   budgets and open sessions of the viewer: hash, see viewer.lua
-- KEYS[6]   view count of the video
-- ARGV[1]   user
-- ARGV[2]   owner
-- ARGV[3]   video
-- ARGV[4]   event id
-- ARGV[5]   position of the player, in seconds
-- ARGV[6]   the video's length, in seconds
-- ARGV[7]   maximum playback rate, in thousandths, at most 100,000; 0 disables the cap
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
-- ARGV[19]  whether the viewer's account is new: 1, 0, or empty if that is unknown
-- ARGV[20]  lifetime of the viewer's budgets, in seconds
-- ARGV[21]  seconds that may be credited beyond the elapsed time
-- ARGV[22]  longest time since the last contact that a pause uses, in seconds, at most 86,400
-- ARGV[23]  seconds that a session must be credited before its view counts
-- Returns {'paused', credited, finished}, {'no session'}, {'too many', milliseconds left}, {'backlog',
-- entries, known}, {'reused'}, {'missing'} (the stream), {'clock', milliseconds} (of this server, if the
-- process has another time) or {'ahead', last id, milliseconds} (the stream is ahead of this server's
-- clock).
local MAX_AD_VIEWS, FIRST_AD_VIEWS = 2, 1
local PAUSE_BURST = 5

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
local time, wrong_clock = checked_time(KEYS[1], ARGV[14], ARGV[15])
if wrong_clock then
    return wrong_clock
end
local viewer, position = read_viewer(KEYS[5], KEYS[2], ARGV[3], time, ARGV[15])
if not position then
    return {'no session'}
end
-- A rejected pause changes nothing: a later pause credits the same seconds.
local full = full_backlog(KEYS[1], ARGV[13], ARGV[12])
if full then
    return full
end

local now = viewer.last
local place = find_session(viewer, ARGV[3])
local session = viewer.open[place]
local is_own = ARGV[1] == ARGV[2]
local current, rate = tonumber(ARGV[5]), tonumber(ARGV[7])
local is_finished = current >= tonumber(ARGV[6])

-- The seconds that the time since the last contact allows. Time that is used in advance is negative.
-- 86,400 s at the highest rate are below 2^53.
local watched = is_own and 0 or math.max(0, current - position)
local credited = watched
if rate > 0 then
    local free = math.min(now - session.credit, tonumber(ARGV[22]) * MICROS_PER_S)
    local allowed = math.floor(free * rate / 1000000000) + tonumber(ARGV[21])
    credited = math.min(watched, math.max(0, allowed))
end
local capped = watched - credited

-- A pause that credits nothing within a second of the last contact only moves the position.
local is_recorded = not is_own and (credited > 0 or now - session.since >= MICROS_PER_S)
local pause_tat = session.pause
if is_recorded then
    local wait_ms
    pause_tat, wait_ms = take(pause_tat, now, MICROS_PER_S, PAUSE_BURST)
    if not pause_tat then
        return {'too many', wait_ms}
    end
end

-- Uses the earliest free time since the last contact: that before the last contact of a newer session
-- first.
local micros = rate > 0 and math.ceil(credited * 1000000000 / rate) or 0
local used, since = session.credit + micros, session.since
for _, other in ipairs(viewer.open) do
    if other.since <= since then
        other.credit = other.credit + micros
    else
        other.credit = math.max(other.credit, used)
    end
end
viewer.credit = math.max(viewer.credit, used)
-- A view counts once its session was watched long enough, or for the length of the video.
local uncounted, is_counted = session.uncounted, false
if uncounted >= 0 then
    uncounted = uncounted + credited
    -- A lower rule counts the view at the next pause that is an event.
    is_counted = is_recorded and uncounted >= math.min(tonumber(ARGV[23]), tonumber(ARGV[6]))
end
if is_finished then
    table.remove(viewer.open, place)
elseif is_recorded then
    session.since, session.credit = now, math.max(viewer.credit, now)
    session.pause, session.uncounted = pause_tat, is_counted and -1 or uncounted
end

-- The ads of the slots in (position, position + credited], as core/domain/src/videos/ad.rs chooses them,
-- as many as the budget holds. A video has at most 86,400 seconds, and so at most as many slots.
local interval = tonumber(ARGV[17])
local ads, shown = {}, {}
for id in string.gmatch(ARGV[18], '%d+') do
    ads[#ads + 1] = id
end
local before = math.floor(position / interval)
local slots = #ads > 0 and math.floor((position + credited) / interval) - before or 0
-- The interval can have been longer at the last pause.
local stock = math.min(viewer.ads or FIRST_AD_VIEWS * interval, MAX_AD_VIEWS * interval) + credited
local ad_views = math.min(slots, math.floor(stock / interval))
for slot = before + 1, before + ad_views do
    shown[#shown + 1] = text(slot * interval) .. ':' .. ads[(slot - 1) % #ads + 1]
end
viewer.ads = math.min(stock - ad_views * interval, MAX_AD_VIEWS * interval)

-- The event is the first write. Redis does not roll back a script that fails after it.
if is_recorded then
    local event = {'id', ARGV[4], 'kind', 'pause', 'user', ARGV[1], 'video', ARGV[3],
        'from', text(position), 'credited', text(credited), 'reported', text(watched),
        'ads', table.concat(shown, ','), 'rules', ARGV[16], 'new', ARGV[19]}
    if is_counted then
        event[#event + 1], event[#event + 2] = 'counted', '1'
    end
    redis.call('XADD', KEYS[1], '*', unpack(event))
end
if is_counted then
    redis.call('INCR', KEYS[6])
end
write_viewer(viewer, KEYS[5], KEYS[2], ARGV[20])
if is_finished then
    redis.call('DEL', KEYS[2])
else
    redis.call('HSET', KEYS[2], 'position', text(current))
    redis.call('EXPIRE', KEYS[2], ARGV[8])
end
suppress(KEYS[3], ARGV[3], 'capped', capped, ARGV[9])
suppress(KEYS[3], ARGV[3], 'ad_capped', slots - ad_views, ARGV[9])
local finished = is_finished and '1' or '0'
if ARGV[10] ~= '' then
    redis.call('HSET', KEYS[4], 'request', ARGV[10], 'credited', text(credited), 'finished', finished)
    redis.call('EXPIRE', KEYS[4], ARGV[11])
end
return {'paused', text(credited), finished}
