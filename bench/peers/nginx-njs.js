// The policy for nginx's JavaScript module.

const declared = {
    'XSRF-TOKEN': { lifetime: 604800, flags: '; Path=/; Secure; SameSite=Lax' },
    'flexopus_session': { lifetime: 604800, flags: '; Path=/; Secure; HttpOnly; SameSite=Lax' },
    'visitedMapBuilder': { lifetime: 1814400, flags: '; Path=/; Secure; SameSite=Lax' },
};

// Of a Cookie field the declared pairs.
function request(r) {
    const field = r.variables.http_cookie;
    if (!field) {
        return '';
    }
    return field.split('; ').filter((pair) => declared[pair.substring(0, pair.indexOf('='))]).join('; ');
}

function attributes(name) {
    const cookie = declared[name];
    const expires = new Date(Date.now() + cookie.lifetime * 1000).toUTCString();
    return `; Max-Age=${cookie.lifetime}; Expires=${expires}${cookie.flags}`;
}

// What the application sets of the declared cookies, built anew; and what an API request renews.
function response(r) {
    const fields = r.headersOut['Set-Cookie'] || [];
    const renews = r.uri.startsWith('/api/');
    if (!fields.length && !renews) {
        return;
    }
    const kept = [];
    const set = {};
    for (let index = 0; index < fields.length; index++) {
        const field = fields[index];
        const name = field.substring(0, field.indexOf('='));
        if (declared[name]) {
            const stop = field.indexOf(';');
            kept.push((stop < 0 ? field : field.substring(0, stop)) + attributes(name));
            set[name] = true;
        }
    }
    if (renews && !(set['XSRF-TOKEN'] && set.flexopus_session)) {
        r.variables.kept_cookies.split('; ').forEach((pair) => {
            const name = pair.substring(0, pair.indexOf('='));
            if (!set[name] && (name === 'XSRF-TOKEN' || name === 'flexopus_session')) {
                kept.push(pair + attributes(name));
            }
        });
    }
    r.headersOut['Set-Cookie'] = kept;
}

export default { request, response };
