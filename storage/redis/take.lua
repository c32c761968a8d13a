-- A whole Take: storage.Judge, in the server. Every number is an integer below
-- 2^53, which Lua's numbers hold exactly; only products need care.
--
-- KEYS  the counters
-- ARGV  the time in microseconds, or "" for the server's own;
--       the milliseconds that a counter is kept after it has nothing to say;
--       the counters, seven numbers of 8 bytes each: kind, limit, capacity,
--       period, phase, cost, 1 where refused costs count
-- Answers with ok, the place of the one that refused, the time, and five of
-- each counter: used, left, reset, retry, 1 where there will never be room.
--
-- What a counter has counted is kept as its kind, in a byte, and numbers: its
-- period, phase, time, limit and counts. The server runs one script at a time, so
-- its time is what all gateways share: numbers are packed, since text would take
-- longer than all else; fixed windows, the usual kind, are judged without a call;
-- and the functions for the other kinds are made when there is one.

local MAX, MAX_PERIOD, SLICES = 9007199254740991, 3153600000000000, 8
local FIXED, SLIDING, BUCKET, HELD = 0, 1, 2, 3
local ONE = '<Bddddd' -- a tally with one count, and the beginning of each other

local min, max, fmod = math.min, math.max, math.fmod

-- others returns how counters of the other kinds are judged.
local function others()
  local function mod(a, b)
    local r = fmod(a, b)
    if r < 0 then r = r + b end
    return r
  end

  local function div(a, b) return (a - mod(a, b)) / b end

  -- muldiv is a*b divided by c: the quotient, nil when it is above MAX, and the
  -- rest. A product that is not exact is made bit by bit.
  local function muldiv(a, b, c)
    if a * b <= MAX then return div(a * b, c), mod(a * b, c) end
    local q, r, bq, br = 0, 0, div(b, c), mod(b, c)
    local bit = 1
    while bit * 2 <= a do bit = bit * 2 end
    while bit >= 1 do
      q, r = q * 2, r * 2
      if r >= c then q, r = q + 1, r - c end
      if a >= bit then
        a, q = a - bit, q + bq
        -- r + br itself may be above MAX
        if r >= c - br then q, r = q + 1, r - (c - br) else r = r + br end
      end
      if q > MAX then return nil end
      bit = bit / 2
    end
    return q, r
  end

  local FORMAT = {[HELD] = ONE, [BUCKET] = '<Bdddddd', [SLIDING] = '<Bddddddddddddd'}

  local function slice(t) return div(t.period + SLICES - 1, SLICES) end
  local function ring(n) return mod(n, SLICES + 1) + 1 end
  local function clear(t) for i = 1, #t do t[i] = 0 end end

  local function used(t)
    if t.kind == BUCKET then
      if t[2] > 0 then return t[1] + 1 end
      return t[1]
    end
    if t.kind ~= SLIDING then return t[1] end
    local sum = 0
    for i = 1, SLICES + 1 do sum = min(sum + t[i], MAX) end
    return sum
  end

  local function tally(kind, period, phase, at, limit, ...)
    return {kind = kind, period = period, phase = phase, at = at, limit = limit, ...}
  end

  local function empty(kind, period, phase, at, limit)
    if kind == SLIDING then return tally(kind, period, phase, at, limit, 0, 0, 0, 0, 0, 0, 0, 0, 0) end
    if kind == BUCKET then return tally(kind, period, phase, at, limit, 0, 0) end
    return tally(kind, period, phase, at, limit, 0)
  end

  local function load(kept)
    -- After the last number comes where it ended.
    local kind, period, phase, at, limit, a, b, c, d, e, f, g, h, i = struct.unpack(FORMAT[string.byte(kept)] or ONE, kept)
    if kind == SLIDING then return tally(kind, period, phase, at, limit, a, b, c, d, e, f, g, h, i) end
    if kind == BUCKET then return tally(kind, period, phase, at, limit, a, b) end
    return tally(kind, period, phase, at, limit, a)
  end

  -- roll returns the tally as it stands now, in a table of its own.
  local function roll(kept, c, now)
    local t = empty(c.kind, c.period, c.phase, now, 0)
    if t.kind == BUCKET then t.limit = max(c.limit, 1) end
    if not kept then return t end
    now = max(now, kept.at)
    t.at = now
    if kept.kind ~= c.kind or kept.period ~= c.period or kept.phase ~= c.phase then return t end
    for i = 1, #t do t[i] = kept[i] end
    local was = kept.at
    if t.kind == SLIDING then
      local first, last = div(was, slice(t)), div(now, slice(t))
      if last - first > SLICES then
        clear(t)
      else
        for i = first + 1, last do t[ring(i)] = 0 end
      end
    elseif t.kind == BUCKET then
      local whole, parts = muldiv(now - was, kept.limit, t.period)
      if whole then
        t[2] = t[2] - parts
        if t[2] < 0 then t[2], whole = t[2] + t.period, whole + 1 end
      end
      if not whole or whole > t[1] then
        clear(t)
      else
        t[1] = t[1] - whole
      end
    elseif now - was >= t.period then
      t[1] = 0
    else
      t.at = was
    end
    return t
  end

  -- add counts a cost, or gives one back, and tells whether any count changed.
  local function add(t, cost, now)
    t.at = max(t.at, now)
    local newest = 1
    if t.kind == SLIDING then newest = ring(div(t.at, slice(t))) end
    if cost >= 0 then
      t[newest] = min(t[newest] + cost, MAX)
      return true
    end
    local give, changed = -cost, false
    if t.kind == BUCKET then
      changed = t[1] > 0 or t[2] > 0
      if give > t[1] then clear(t) else t[1] = t[1] - give end
      return changed
    end
    for i = 0, #t - 1 do
      local at = mod(newest - 1 - i, #t) + 1
      local part = min(t[at], give)
      t[at], give = t[at] - part, give - part
      changed = changed or part > 0
    end
    return changed
  end

  -- change counts what is wanted and tells whether the counter is to be written.
  local function change(c, wanted, now)
    local t, write = c.tally, false
    if wanted then
      local before = t.at
      if add(t, c.cost, now) then write = true else t.at = before end
    end
    -- What is in a bucket flows out at the limit it was last asked with.
    return write or t.kind == BUCKET and c.cost ~= 0 and c.kept and c.kept.limit ~= t.limit and used(c.kept) > 0
  end

  -- drained is when no more than left will be counted.
  local function drained(c, left)
    local t = c.tally
    if t.kind == HELD then return t.at + t.period end
    if t.kind == SLIDING then
      local newest, more = div(t.at, slice(t)), used(t) - left
      for i = newest - SLICES, newest do
        more = more - t[ring(i)]
        if more <= 0 then return (i + SLICES + 1) * slice(t) end
      end
      return (newest + SLICES + 1) * slice(t)
    end
    local limit = max(c.limit, 1)
    local wait, rest = muldiv(t[1] - left, t.period, limit)
    if not wait then return t.at + MAX_PERIOD end
    wait = wait + div(t[2], limit)
    -- Both rests are below the limit, and their sum may be above MAX.
    local more = mod(t[2], limit)
    if rest > limit - more then
      wait = wait + 2
    elseif rest + more > 0 then
      wait = wait + 1
    end
    return t.at + min(wait, MAX_PERIOD)
  end

  local function pack(t)
    return struct.pack(FORMAT[t.kind], t.kind, t.period, t.phase, t.at, t.limit, unpack(t))
  end

  return {load = load, roll = roll, used = used, change = change, drained = drained, pack = pack}
end

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local grace = tonumber(ARGV[2])

local kept = #KEYS > 0 and redis.call('MGET', unpack(KEYS)) or {}
local counters, ok, refused, other = {}, true, 0
for i = 1, #KEYS do
  local kind, limit, capacity, period, phase, cost, counts = struct.unpack('<ddddddd', ARGV[3], (i - 1) * 56 + 1)
  local at, used, ends, tally, before = now, 0
  if kind == FIXED then
    local was = -1 / 0 -- when the count last changed, if it is of this window
    if kept[i] then
      local k, p, f, t, _, n = struct.unpack(ONE, kept[i])
      at = max(now, t)
      if k == kind and p == period and f == phase then was, used = t, n end
    end
    local past = fmod(at - phase, period)
    if past < 0 then past = past + period end
    if was < at - past then used = 0 end
    ends = at - past + period
  else
    other = other or others()
    before = kept[i] and other.load(kept[i])
    tally = other.roll(before, {kind = kind, limit = limit, period = period, phase = phase}, now)
    used = other.used(tally)
  end
  if ok and cost > 0 and cost > capacity - used then ok, refused = false, i - 1 end
  counters[i] = {
    kind = kind, limit = limit, capacity = capacity, period = period, phase = phase, cost = cost, counts = counts == 1,
    at = at, used = used, ends = ends, tally = tally, kept = before,
  }
end

local answer = {ok and 1 or 0, refused, now}
for i = 1, #KEYS do
  local c = counters[i]
  local n, at, cost, write = c.used, c.at, c.cost
  local wanted = ok and cost ~= 0 or c.counts and cost > 0 and c.kind ~= HELD
  if c.tally then
    write = other.change(c, wanted, now)
    n, at = other.used(c.tally), max(c.tally.at, now)
  elseif wanted then
    write = cost > 0 or n > 0
    n = max(min(n + cost, MAX), 0)
  end
  local reset, retry, never = at, at, 0
  if n > 0 then reset = c.ends or other.drained(c, 0) end
  if cost > 0 and cost > c.capacity then
    never = 1
  elseif cost > 0 and cost > c.capacity - n then
    retry = c.ends or other.drained(c, c.capacity - cost)
  end
  if write and n == 0 then
    redis.call('DEL', KEYS[i])
  elseif write then
    local packed = c.tally and other.pack(c.tally) or struct.pack(ONE, c.kind, c.period, c.phase, at, 0, n)
    redis.call('SET', KEYS[i], packed, 'PX', math.ceil((reset - at) / 1000) + grace)
  end
  local to = #answer
  answer[to + 1], answer[to + 2], answer[to + 3], answer[to + 4], answer[to + 5] = n, max(c.capacity - n, 0), reset, retry, never
end
return answer
