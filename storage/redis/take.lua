-- A whole Take: storage.Judge, in the server. Every number is an integer below
-- 2^53, which Lua's numbers hold exactly; only products need care.
--
-- KEYS  the counters
-- ARGV  the time in microseconds, or "" for the server's own;
--       the milliseconds that a counter is kept after it has nothing to say;
--       seven of each counter: kind, limit, capacity, period, phase, cost,
--       whether refused costs count
-- Answers with ok, the place of the one that refused, the time, and five of
-- each counter: used, left, reset, retry, whether there is a retry.

local MAX, MAX_PERIOD, SLICES = 9007199254740991, 3153600000000000, 8
local FIXED, SLIDING, BUCKET, HELD = 0, 1, 2, 3

local function mod(a, b)
  local r = math.fmod(a, b)
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

local function slice(t) return div(t.period + SLICES - 1, SLICES) end
local function ring(n) return mod(n, SLICES + 1) + 1 end

-- cells is how many counts a tally has, by its kind.
local function cells(kind)
  if kind == SLIDING then return SLICES + 1 end
  if kind == BUCKET then return 2 end
  return 1
end

local function clear(t) for i = 1, cells(t.kind) do t[i] = 0 end end

local function used(t)
  if t.kind == BUCKET then
    if t[2] > 0 then return t[1] + 1 end
    return t[1]
  end
  if t.kind ~= SLIDING then return t[1] end
  local sum = 0
  for i = 1, SLICES + 1 do sum = math.min(sum + t[i], MAX) end
  return sum
end

local function load(kept)
  if not kept then return nil end
  local f = {}
  for word in string.gmatch(kept, '%S+') do f[#f + 1] = tonumber(word) end
  local t = {kind = f[1], period = f[2], phase = f[3], at = f[4], limit = f[5]}
  for i = 1, cells(t.kind) do t[i] = f[5 + i] or 0 end
  return t
end

local function save(key, t, keep)
  if used(t) == 0 then
    redis.call('DEL', key)
    return
  end
  local n = cells(t.kind)
  while t[n] == 0 do n = n - 1 end
  local f = string.format('%.0f %.0f %.0f %.0f %.0f', t.kind, t.period, t.phase, t.at, t.limit)
  for i = 1, n do f = f .. string.format(' %.0f', t[i]) end
  redis.call('SET', key, f, 'PX', string.format('%.0f', keep))
end

-- roll returns the tally as it stands now, in a table of its own.
local function roll(kept, c, now)
  local t = {kind = c.kind, period = c.period, phase = c.phase, at = now, limit = 0}
  clear(t)
  if c.kind == BUCKET then t.limit = math.max(c.limit, 1) end
  if not kept then return t end
  now = math.max(now, kept.at)
  t.at = now
  if kept.kind ~= c.kind or kept.period ~= c.period or kept.phase ~= c.phase then return t end
  for i = 1, cells(t.kind) do t[i] = kept[i] end
  local was = kept.at
  if t.kind == FIXED then
    if div(was - t.phase, t.period) ~= div(now - t.phase, t.period) then t[1] = 0 end
  elseif t.kind == SLIDING then
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
  t.at = math.max(t.at, now)
  local newest = 1
  if t.kind == SLIDING then newest = ring(div(t.at, slice(t))) end
  if cost >= 0 then
    t[newest] = math.min(t[newest] + cost, MAX)
    return true
  end
  local give, changed = -cost, false
  if t.kind == BUCKET then
    changed = t[1] > 0 or t[2] > 0
    if give > t[1] then clear(t) else t[1] = t[1] - give end
    return changed
  end
  local n = cells(t.kind)
  for i = 0, n - 1 do
    local at = mod(newest - 1 - i, n) + 1
    local part = math.min(t[at], give)
    t[at], give = t[at] - part, give - part
    changed = changed or part > 0
  end
  return changed
end

local function room(t, c) return c.cost <= 0 or c.cost <= c.capacity - used(t) end

-- drained is when no more than left will be counted.
local function drained(t, c, left)
  if t.kind == FIXED then return t.phase + (div(t.at - t.phase, t.period) + 1) * t.period end
  if t.kind == HELD then return t.at + t.period end
  if t.kind == SLIDING then
    local newest, more = div(t.at, slice(t)), used(t) - left
    for i = newest - SLICES, newest do
      more = more - t[ring(i)]
      if more <= 0 then return (i + SLICES + 1) * slice(t) end
    end
    return (newest + SLICES + 1) * slice(t)
  end
  local limit = math.max(c.limit, 1)
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
  return t.at + math.min(wait, MAX_PERIOD)
end

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local grace = tonumber(ARGV[2])

local kept = #KEYS > 0 and redis.call('MGET', unpack(KEYS)) or {}
local counters, ok, refused = {}, true, 0
for i, key in ipairs(KEYS) do
  local a = {}
  for j = 1, 7 do a[j] = tonumber(ARGV[2 + (i - 1) * 7 + j]) end
  local c = {kind = a[1], limit = a[2], capacity = a[3], period = a[4], phase = a[5], cost = a[6], counts = a[7] == 1}
  c.kept = load(kept[i])
  c.rolled = roll(c.kept, c, now)
  if ok and not room(c.rolled, c) then ok, refused = false, i - 1 end
  counters[i] = c
end

local answer = {ok and 1 or 0, refused, now}
for i, key in ipairs(KEYS) do
  local c = counters[i]
  local t, write = c.rolled, false
  local relimited = t.kind == BUCKET and c.cost ~= 0 and c.kept and c.kept.limit ~= t.limit
  if (ok and c.cost ~= 0) or (c.counts and c.cost > 0 and c.kind ~= HELD) then
    local before = t.at
    if add(t, c.cost, now) then write = true else t.at = before end
  end
  if not write and relimited and used(c.kept) > 0 then write = true end

  local n, judged = used(t), math.max(t.at, now)
  local reset, retry, never = judged, judged, 0
  if n > 0 then reset = drained(t, c, 0) end
  if c.cost > 0 and c.cost > c.capacity then
    never = 1
  elseif not room(t, c) then
    retry = drained(t, c, c.capacity - c.cost)
  end
  if write then save(key, t, math.ceil((reset - judged) / 1000) + grace) end
  local at = #answer
  answer[at + 1], answer[at + 2] = n, math.max(c.capacity - n, 0)
  answer[at + 3], answer[at + 4], answer[at + 5] = reset, retry, never
end
return answer
