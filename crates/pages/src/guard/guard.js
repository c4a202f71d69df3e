// The guard against cookies that scripts set. The gateway puts it first into the <head> of every page.
//
// This file is one expression: a function, which the gateway calls with three arguments at the end of the script element.
// `guard.min.js` is the same function in fewer bytes; `crumbgate guard` prints what a page gets, `crumbgate guard --source`
// this file with the same arguments.
//
//   names      the cookies that scripts may set
//   path       the path of the gateway to which names are reported
//   enforces   true: a script's write of another cookie becomes a deletion. false: nothing changes, names are only reported
//
// It reports names alone: of cookies (c), of the keys of localStorage (l) and sessionStorage (s) that the browser holds
// when the page used that storage, and of databases that it opens (i). Storage is never blocked, and reading neither. A script
// that deletes a cookie reports its name, too: a deletion is a write.
//
// It is not a boundary against a hostile script of the same origin. It stops scripts that use documented interfaces in the
// page, in its frames and in windows that it opens: the cases of tests/browser/guard-cases.js. Not stopped:
// - SVG and XHTML as a page, as an object, and in a frame that had another document before: the gateway guards HTML alone
// - a document that a service worker makes up
// - a document in the `srcdoc` of a frame, if the page's HTML has it within another such document, or if a script writes it as
//   HTML after the page's `load`
// - an empty frame, taken by its number, in a page that has replaced itself by document.open() after its `load`
//
// Rules of this file, so that a page's scripts can't change what it does, and that it fits into a script element:
// - Built-in functions are taken at the start, and called with Reflect.apply. After the start, nothing looks up a method of a
//   prototype, and nothing iterates: `for … of`, spread of arrays and destructuring of arrays would.
// - No "less than" sign, and only ASCII.
(names, path, enforces) => {
    'use strict';
    const { apply, defineProperty: define, getOwnPropertyDescriptor: describe, ownKeys } = Reflect;
    const { exec } = RegExp.prototype;
    const { addEventListener, navigator, origin, setTimeout } = window;
    const { sendBeacon } = navigator;

    // Marks windows that have the guard: a frame gets it from the page around it, and from its own document.
    const mark = 'crumbgate';
    const isNew = (object) => !describe(object, mark) && define(object, mark, { value: 1 });

    // The script leaves the page, so that frameworks find the <head> that they have rendered.
    const script = document.currentScript;
    const copy = enforces && script ? script.outerHTML : '';
    if (script) script.remove();

    const allowed = { __proto__: null };
    for (let i = names.length; i--;) allowed[names[i]] = 1;

    // Browsers trim blanks and tabs around the name, and nothing else.
    const namePart = /^[ \t]*([^;=]*?)[ \t]*=/;
    const control = /[\0-\x1f\x7f]/;
    // A name in a report ends before a control character, and is long enough for the gateway to find what identifies a person.
    const line = /^[^\0-\x1f\x7f]{0,193}/;

    // At most 64 names and 16 KiB for each page.
    const reported = { __proto__: null };
    const storages = { __proto__: null };
    const getters = {};
    let left = 64;
    let room = 5e3;
    let lines = '';
    let timer = 0;

    const wake = () => {
        if (!timer) {
            timer = setTimeout(send, 1e3);
            // Here and not once: document.open() removes listeners.
            addEventListener('pagehide', send);
        }
    };
    const report = (entry) => {
        entry = apply(exec, line, [entry])[0];
        if (!reported[entry] && left && room > 0) {
            reported[entry] = 1;
            left--;
            room -= entry.length;
            lines += entry + '\n';
            wake();
        }
    };
    const send = () => {
        for (const kind in storages) {
            try {
                const keys = ownKeys(apply(getters[kind], window, []));
                for (let i = keys.length; i--;) report(kind[0] + keys[i]);
            } catch {}
        }
        try {
            // With the origin, because a <base> element leads a path elsewhere. A sandboxed page has none ('null').
            if (lines && origin !== 'null') apply(sendBeacon, navigator, [origin + path, lines]);
        } catch {}
        lines = '';
        timer = 0;
    };

    // Replaces parts of a property. It stays configurable: consent tools replace it again, with what they find here.
    const wrap = (object, key, change) => {
        const own = object && describe(object, key);
        if (own) define(object, key, { ...own, ...change(own) });
    };

    // Guards a window. Fails for a window of another origin, where there is nothing to guard.
    const guard = (realm) => {
        try {
            const { document, Document, Element, CookieStore, HTMLIFrameElement, IDBFactory, MutationObserver } = realm;
            // A frame keeps its window, with what is wrapped there, from the empty document that it begins with to its first
            // document of this origin. An empty document loads while it is being inserted: the listener runs before the
            // statement behind that. The observer finds other frames. It costs a microsecond for each node, 1 ms for
            // most pages, so it ends when the page has loaded.
            if (isNew(document)) {
                const look = () => {
                    for (let i = realm.length; i--;) guard(realm[i]);
                };
                const observer = new MutationObserver(look);
                observer.observe(document, { childList: true, subtree: true });
                realm.addEventListener('load', () => observer.disconnect());
                document.addEventListener('load', look, true);
                look();
            }
            if (!isNew(Document.prototype)) return;

            // A write of another cookie becomes its deletion: of two attributes with one name the last counts. A text with a
            // control character is dropped, because browsers may end it there.
            wrap(Document.prototype, 'cookie', (own) => ({
                set: describe({
                    set cookie(text) {
                        text = `${text}`;
                        const found = apply(exec, namePart, [text]);
                        const name = found ? found[1] : '';
                        if (!allowed[name]) {
                            report('c' + name);
                            if (enforces) text = apply(exec, control, [text]) ? '' : text + ';Max-Age=0';
                        }
                        if (text) apply(own.set, this, [text]);
                    },
                }, 'cookie').set,
            }));
            wrap(CookieStore && CookieStore.prototype, 'set', (own) => ({
                value: {
                    async set(name, value) {
                        // Read once: a getter may answer differently the second time.
                        const cookie = arguments.length > 1 ? { name, value: `${value}` } : { ...name };
                        // Without a name the browser refuses the call.
                        if (cookie.name !== undefined && !allowed[cookie.name = `${cookie.name}`]) {
                            report('c' + cookie.name);
                            if (enforces) {
                                cookie.expires = 0;
                                delete cookie.maxAge;
                            }
                        }
                        return apply(own.value, this, [cookie]);
                    },
                }.set,
            }));

            // The keys are read when the report is sent: `localStorage.key = value` can't be wrapped. So keys that are removed
            // before are not reported.
            const watchStorage = (kind) => wrap(realm, kind, (own) => {
                getters[kind] ||= own.get;
                return {
                    get() {
                        storages[kind] = 1;
                        wake();
                        return apply(own.get, this, []);
                    },
                };
            });
            watchStorage('localStorage');
            watchStorage('sessionStorage');
            wrap(IDBFactory && IDBFactory.prototype, 'open', (own) => ({
                value: {
                    open(name) {
                        report('i' + name);
                        return apply(own.value, this, arguments);
                    },
                }.open,
            }));

            // Frames in a shadow tree, and windows that the page opens, are guarded when the page takes hold of them.
            const guardInner = (kind) => {
                const prototype = realm[kind] && realm[kind].prototype;
                wrap(prototype, 'contentWindow', (own) => ({
                    get() {
                        const inner = apply(own.get, this, []);
                        if (inner) guard(inner);
                        return inner;
                    },
                }));
                wrap(prototype, 'contentDocument', (own) => ({
                    get() {
                        const inner = apply(own.get, this, []);
                        if (inner) guard(inner.defaultView);
                        return inner;
                    },
                }));
            };
            guardInner('HTMLIFrameElement');
            guardInner('HTMLFrameElement');
            guardInner('HTMLObjectElement');
            wrap(realm, 'open', (own) => ({
                value: {
                    open(...parts) {
                        const opened = apply(own.value, this, parts);
                        if (opened) guard(opened);
                        return opened;
                    },
                }.open,
            }));

            // A document in an attribute does not come through the gateway: it begins with a copy of this script.
            const withCopy = (html) => typeof html === 'string' ? copy + html : html;
            wrap(HTMLIFrameElement.prototype, 'srcdoc', (own) => ({
                set(html) {
                    apply(own.set, this, [withCopy(html)]);
                },
            }));
            const own = describe(Element.prototype, 'setAttribute');
            define(HTMLIFrameElement.prototype, 'setAttribute', {
                ...own,
                value: {
                    setAttribute(name, value) {
                        const isDocument = apply(exec, /^srcdoc$/i, [name]);
                        apply(own.value, this, [name, isDocument ? withCopy(value) : value]);
                    },
                }.setAttribute,
            });
        } catch {}
    };
    guard(window);
}
