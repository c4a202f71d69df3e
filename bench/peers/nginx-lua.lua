-- The policy for nginx's Lua module.

local find, sub, byte = string.find, string.sub, string.byte
local concat, time, http_time = table.concat, ngx.time, ngx.http_time

local policy = {}

local declared = {
    ["XSRF-TOKEN"] = { lifetime = 604800, flags = "; Path=/; Secure; SameSite=Lax" },
    ["flexopus_session"] = { lifetime = 604800, flags = "; Path=/; Secure; HttpOnly; SameSite=Lax" },
    ["visitedMapBuilder"] = { lifetime = 1814400, flags = "; Path=/; Secure; SameSite=Lax" },
}
local renewed = { "XSRF-TOKEN", "flexopus_session" }

-- Of a Cookie field the declared pairs.
function policy.request(field)
    if not field then
        return ""
    end
    local kept, count, at, length = {}, 0, 1, #field
    while at <= length do
        while byte(field, at) == 32 do
            at = at + 1
        end
        local stop = find(field, ";", at, true) or length + 1
        local equals = find(field, "=", at, true)
        if equals and equals < stop and declared[sub(field, at, equals - 1)] then
            count = count + 1
            kept[count] = sub(field, at, stop - 1)
        end
        at = stop + 1
    end
    return concat(kept, "; ")
end

-- The attributes of a cookie that is set now; they are the same for a whole second.
local now = 0
local function attributes(cookie)
    if time() ~= now then
        now = time()
        for _, each in pairs(declared) do
            each.attributes = "; Max-Age=" .. each.lifetime .. "; Expires=" .. http_time(now + each.lifetime) .. each.flags
        end
    end
    return cookie.attributes
end

-- What the application sets of the declared cookies, built anew; and what an API request renews.
function policy.response()
    local fields = ngx.header["Set-Cookie"]
    local renews = sub(ngx.var.uri, 1, 5) == "/api/"
    if not fields and not renews then
        return
    end
    local kept, count, set = {}, 0, {}
    if type(fields) == "string" then
        fields = { fields }
    end
    for index = 1, fields and #fields or 0 do
        local field = fields[index]
        local equals = find(field, "=", 1, true)
        local name = equals and sub(field, 1, equals - 1)
        local cookie = declared[name]
        if cookie then
            local stop = find(field, ";", equals, true) or #field + 1
            count = count + 1
            kept[count] = sub(field, 1, stop - 1) .. attributes(cookie)
            set[name] = true
        end
    end
    if renews and not (set[renewed[1]] and set[renewed[2]]) then
        local cookies = ngx.var.kept_cookies
        for index = 1, #renewed do
            local name = renewed[index]
            local from = not set[name] and find(cookies, name .. "=", 1, true)
            if from then
                local stop = find(cookies, ";", from, true) or #cookies + 1
                count = count + 1
                kept[count] = sub(cookies, from, stop - 1) .. attributes(declared[name])
            end
        end
    end
    ngx.header["Set-Cookie"] = kept
end

return policy
