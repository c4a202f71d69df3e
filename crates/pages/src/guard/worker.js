// The guard in service workers, which have `cookieStore`, and no document. The gateway puts it in front of their scripts and of
// what these import. The rules and the arguments are those of guard.js, and a worker reports each name once.
(names, path, enforces) => {
    'use strict';
    const { apply, defineProperty: define } = Reflect;
    const { CookieStore, fetch } = self;
    // Other workers have none.
    if (!CookieStore) return;
    const { set } = CookieStore.prototype;
    const allowed = { __proto__: null };
    for (let i = names.length; i--;) allowed[names[i]] = 1;
    const reported = { __proto__: null };
    let left = 64;
    const report = async (name) => {
        if (reported[name] || !left) return;
        reported[name] = 1;
        left--;
        try {
            await fetch(path, { method: 'POST', body: 'c' + name });
        } catch {}
    };
    define(CookieStore.prototype, 'set', {
        value: {
            async set(name, value) {
                const cookie = arguments.length > 1 ? { name, value: `${value}` } : { ...name };
                if (cookie.name !== undefined && !allowed[cookie.name = `${cookie.name}`]) {
                    report(cookie.name);
                    if (enforces) {
                        cookie.expires = 0;
                        delete cookie.maxAge;
                    }
                }
                return apply(set, this, [cookie]);
            },
        }.set,
    });
}
