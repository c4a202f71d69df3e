// The ways in which a page can set a cookie by script, for guard-site.js, which serves them, and guard.js, which visits them.
//
// A case is a page and the files beside it. `SET` is a statement that sets a cookie whose value is the name of the case, and
// then reports to the site that it has been tried. The cases of `REMAINING` are those that the guard is known not to stop.

// Sets the cookie of the case NAME, and reports that this was tried, from any window.
const cookie = (text) => `document.cookie=${text};TRIED;`;
export const SET = cookie("'_NAME=NAME;path=/;max-age=9999'");
const TRIED = 'TRIED;';

const page = (body, head = '') =>
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>NAME</title>${head}</head><body>${body}</body></html>`;
const script = (code) => page(`<script>${code}</script>`);
const attribute = (text) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
const string = (text) => JSON.stringify(text).replaceAll('</', '<\\/');
const inner = `<script>${SET}</script>`;

// Takes a window `w` of a frame, and sets the cookie there.
const IN_FRAME = `w.document.cookie='_NAME=NAME;path=/;max-age=9999';TRIED;`;
const FRAME = `const f=document.createElement('iframe');`;
const ADD = `document.body.append(f);`;

const OPTIONS = "{name:'_NAME',value:'NAME',expires:Date.now()+9e6}";
const store = (call) => script(`cookieStore.${call}.catch(()=>0).then(()=>{TRIED})`);

// Runs a statement with a built-in function of the page replaced.
const poisoned = (code) => script(`${code};${SET}`);

const xml = { 'content-type': 'application/xhtml+xml' };
const svg = { 'content-type': 'image/svg+xml' };
const text = { 'content-type': 'text/javascript; charset=utf-8' };
const SVG = [svg, `<svg xmlns="http://www.w3.org/2000/svg"><script>${SET}</script></svg>`];
const XHTML = [xml, `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body><script>${SET}</script></body></html>`];

const registration = (options = '') => script(`
navigator.serviceWorker.register('worker.js'${options}).then(() => navigator.serviceWorker.ready)`);
// Nothing of a worker may set a cookie before it is the worker of the page.
const IN_WORKER = `self.addEventListener('activate', (event) => event.waitUntil(
    (self.cookieStore ? cookieStore.set(${OPTIONS}) : Promise.resolve()).catch(() => 0).then(() => fetch('DONE'))));`;
// A page that a worker controls, in a frame.
const controlled = (answer) => ({
    '': page(`<script>navigator.serviceWorker.register('worker.js').then(async (r) => {
const worker = r.installing || r.waiting || r.active;
if (worker.state !== 'activated') await new Promise((resolve) => {
    worker.onstatechange = () => worker.state === 'activated' && resolve();
});
const f = document.createElement('iframe'); f.src = 'inside.html'; document.body.append(f);
})</script>`),
    'inside.html': page(inner),
    'worker.js': [text, `self.addEventListener('fetch', (event) => {
if (event.request.mode === 'navigate') event.respondWith(${answer});
})`],
});

export const CASES = {
    // The page's own window.
    'plain': script(SET),
    // Relative addresses of the page lead elsewhere.
    'base': page(`<script>${SET}</script>`, '<base href="https://elsewhere.invalid/">'),
    'domains': script(`for (const domain of ['localhost', location.hostname.split('.').slice(-2).join('.'), location.hostname])
document.cookie='_ga=NAME;path=/;max-age=9999;domain='+domain;TRIED;`),
    'parent-domain': script(cookie("'_NAME=NAME;max-age=9999;domain='+location.hostname.split('.').slice(-2).join('.')")),
    'nameless': script(cookie("'NAME'")),
    'look-alike': script(cookie("'\\u00a0XSRF-TOKEN=NAME'")),
    'blanks': script(cookie("' \\t _NAME \\t = NAME; path=/'")),
    'lower-case': script(cookie("'xsrf-token=NAME; path=/'")),
    'prototype-name': script(cookie("'__proto__=NAME; path=/'")),
    'max-age-twice': script(cookie("'_NAME=NAME; Max-Age=9999; max-age=9999; path=/'")),
    'long-attribute': script(cookie("'_NAME=NAME; path=/; x='+'y'.repeat(900)")),
    'quoted': script(cookie(`'_NAME=NAME; path="/'`)),
    'with-tab': script(cookie("'_NAME=NAME;\\tpath=/'")),
    'eval': script(`eval(${string(SET)})`),
    'function': script(`new Function(${string(SET)})()`),
    'timer': script(`setTimeout(${string(SET)})`),
    'handler': page(`<button onclick="${attribute(SET)}">x</button><script>document.querySelector('button').click()</script>`),
    'image-error': page(`<img src="data:," alt="" onerror="${attribute(SET)}">`),
    'written': script(`document.write(${string(inner)})`),
    'opened': script(`onload=()=>{document.open();document.write(${string(page(inner))});document.close()}`),
    'module': page(`<script type="module">${SET}</script>`),
    'imported': { '': page('<script type="module">import("./module.js")</script>'), 'module.js': [text, SET] },
    'borrowed-setter': script(`Object.getOwnPropertyDescriptor(Document.prototype,'cookie').set.call(document,'_NAME=NAME;path=/');TRIED`),
    'reflect-set': script(`Reflect.set(document,'cookie','_NAME=NAME;path=/');TRIED`),
    'redefined': script(`const d=Object.getOwnPropertyDescriptor(Document.prototype,'cookie');
Object.defineProperty(document,'cookie',{get(){return d.get.call(this)},set(v){d.set.call(this,v)}});${SET}`),
    'deleted-setter': script(`delete Document.prototype.cookie;delete HTMLDocument.prototype.cookie;
const f=document.createElement('iframe');${ADD}const d=Object.getOwnPropertyDescriptor(f.contentWindow.Document.prototype,'cookie');
Object.defineProperty(document,'cookie',d);${SET}`),
    'two-texts': script(`let n=0;document.cookie={toString(){return n++?'_NAME=NAME;path=/':'XSRF-TOKEN=1'},valueOf(){return '_NAME=NAME;path=/'}};document.cookie='_NAME=NAME;path=/';TRIED`),
    'poisoned-has': poisoned('Set.prototype.has=()=>true'),
    'poisoned-exec': poisoned(`RegExp.prototype.exec=()=>['','XSRF-TOKEN']`),
    'poisoned-apply': poisoned('Reflect.apply=Function.prototype.apply=Function.prototype.call=()=>1'),
    'poisoned-string': poisoned(`String.prototype.toString=String.prototype.toLowerCase=window.String=()=>'XSRF-TOKEN=1'`),
    'poisoned-object': poisoned(`Object.prototype['_NAME']=1;Object.prototype.crumbgate=1`),
    'poisoned-iterator': script(`Array.prototype[Symbol.iterator]=function*(){};${FRAME}${ADD}const w=f.contentWindow;
const g=w.document.createElement('iframe');w.document.body.append(g);g.contentWindow.document.cookie='_NAME=NAME;path=/';TRIED`),
    'store': store("set('_NAME','NAME')"),
    'store-options': store(`set(${OPTIONS})`),
    'store-getter': store(`set({n:0,get name(){return this.n++?'_NAME':'XSRF-TOKEN'},value:'NAME'}).then(()=>cookieStore.set('_NAME','NAME'))`),
    'store-borrowed': script(`CookieStore.prototype.set.call(cookieStore,'_NAME','NAME').catch(()=>0).then(()=>{TRIED})`),
    'store-max-age': store(`set({name:'_NAME',value:'NAME',maxAge:9999})`),
    // Frames with a document of this site.
    'frame': { '': page('<iframe src="inside.html"></iframe>'), 'inside.html': page(inner) },
    'frameset': {
        '': '<html><head><title>x</title></head><frameset><frame src="inside.html"></frameset></html>',
        'inside.html': page(inner),
    },
    'object': { '': page('<object data="inside.html" type="text/html"></object>'), 'inside.html': page(inner) },
    // Frames without a document of their own.
    'content-window': script(`${FRAME}${ADD}const w=f.contentWindow;${IN_FRAME}`),
    'content-document': script(`${FRAME}${ADD}f.contentDocument.cookie='_NAME=NAME;path=/';TRIED`),
    'index-at-once': script(`${FRAME}${ADD}const w=window[0];${IN_FRAME}`),
    'index-in-one': script(`${FRAME}document.body.append(f),window[0].document.cookie='_NAME=NAME;path=/';TRIED`),
    'index-by-name': script(`${FRAME}f.name='inside';${ADD}const w=frames.inside;${IN_FRAME}`),
    'index-in-microtask': script(`${FRAME}${ADD}Promise.resolve().then(()=>{const w=window[0];${IN_FRAME}})`),
    'index-in-task': script(`${FRAME}${ADD}setTimeout(()=>{const w=window[0];${IN_FRAME}})`),
    'index-after-load': script(`onload=()=>setTimeout(()=>{${FRAME}${ADD}const w=window[0];${IN_FRAME}})`),
    'index-by-html': script(`onload=()=>setTimeout(()=>{document.body.innerHTML='<iframe></iframe>';const w=window[0];${IN_FRAME}})`),
    'index-inserted': script(`${FRAME}document.body.insertBefore(f.cloneNode(),null);const w=window[0];${IN_FRAME}`),
    'index-parsed': page(`<iframe></iframe><script>const w=window[0];${IN_FRAME}</script>`),
    'frame-eval': script(`${FRAME}${ADD}window[0].eval(${string(SET)})`),
    'frame-store': script(`${FRAME}${ADD}window[0].cookieStore.set(${OPTIONS}).catch(()=>0).then(()=>{TRIED})`),
    'frame-setter': script(`${FRAME}${ADD}const d=Object.getOwnPropertyDescriptor(window[0].Document.prototype,'cookie');f.remove();
d.set.call(document,'_NAME=NAME;path=/');TRIED`),
    'frame-onload': page(`<iframe onload="${attribute(`const w=this.contentWindow;${IN_FRAME}`)}"></iframe>`),
    'frame-written': script(`${FRAME}${ADD}const d=f.contentDocument;d.open();d.write(${string(inner)});d.close()`),
    'frame-javascript': page(`<iframe src="javascript:${attribute(`void(()=>{${SET}})()`)}"></iframe>`),
    'frame-text': script(`${FRAME}f.src='/robots.txt';f.onload=()=>{const w=f.contentWindow;${IN_FRAME}};${ADD}`),
    'frame-shadow': script(`${FRAME}const s=document.createElement('div');document.body.append(s);s.attachShadow({mode:'closed'}).append(f);
const w=f.contentWindow;${IN_FRAME}`),
    'frame-nested': script(`${FRAME}${ADD}const d=window[0].document,g=d.createElement('iframe');d.body.append(g);const w=window[0][0];${IN_FRAME}`),
    // Frames whose document is an attribute.
    'srcdoc-parsed': page(`<iframe srcdoc="${attribute(inner)}"></iframe>`),
    'srcdoc': script(`${FRAME}f.srcdoc=${string(inner)};${ADD}`),
    'srcdoc-attribute': script(`${FRAME}f.setAttribute('SrcDoc',${string(inner)});${ADD}`),
    'srcdoc-later': script(`onload=()=>{${FRAME}${ADD}setTimeout(()=>{f.srcdoc=${string(inner)}})}`),
    'srcdoc-second': script(`onload=()=>{${FRAME}f.srcdoc='<p>x';f.onload=()=>{f.onload=null;f.srcdoc=${string(inner)}};${ADD}}`),
    'srcdoc-store': script(`${FRAME}f.srcdoc=${string(`<script>cookieStore.set(${OPTIONS}).catch(()=>0).then(()=>{TRIED})</script>`)};${ADD}`),
    'srcdoc-shadow': script(`${FRAME}const s=document.createElement('div');document.body.append(s);s.attachShadow({mode:'closed'}).append(f);
f.srcdoc=${string(inner)}`),
    'svg-frame': { '': page('<iframe src="x.svg"></iframe>'), 'x.svg': SVG },
    'xhtml-frame': { '': page('<iframe src="x.xhtml"></iframe>'), 'x.xhtml': XHTML },
    // Windows that the page opens.
    'popup': script(`const w=open('about:blank');${IN_FRAME}`),
    'popup-written': script(`const w=open('');w.document.write(${string(inner)});w.document.close()`),
    'popup-by-name': script(`open('','NAME');const w=open('','NAME');${IN_FRAME}`),
    // Service workers.
    'worker': { '': registration(), 'worker.js': [text, IN_WORKER] },
    'worker-imports': {
        '': registration(),
        'worker.js': [text, "importScripts('part.js')"],
        'part.js': [text, IN_WORKER],
    },
    'worker-module': {
        '': registration(",{type:'module'}"),
        'worker.js': [text, "import './part.js';"],
        'part.js': [text, `cookieStore.set(${OPTIONS}).catch(() => 0).then(() => fetch('DONE'))`],
    },
    'worker-fetches': controlled("fetch(event.request.url)"),
    // What stays as it is in every mode.
    'declared': script(cookie("'XSRF-TOKEN=NAME;path=/'")),
    'storage': script(`localStorage.local=1;localStorage.setItem('by-call',1);localStorage.setItem('removed',1);localStorage.removeItem('removed');
sessionStorage.session=1;indexedDB.open('database').onsuccess=()=>{
if(localStorage.local==='1'&&localStorage.getItem('by-call')==='1'&&sessionStorage.session==='1'&&!('removed' in localStorage)){TRIED}}`),
};

export const REMAINING = {
    'index-opened': script(`onload=()=>setTimeout(()=>{document.open();document.write('<body>');document.close();${FRAME}${ADD}const w=window[0];${IN_FRAME}})`),
    'srcdoc-nested': page(`<iframe srcdoc="${attribute(`<iframe srcdoc="${attribute(inner)}"></iframe>`)}"></iframe>`),
    'svg-second': {
        '': script(`${FRAME}f.src='first.html';f.onload=()=>{f.onload=null;f.src='x.svg'};${ADD}`),
        'first.html': page('x'),
        'x.svg': SVG,
    },
    'svg-object': { '': page('<object data="x.svg" type="image/svg+xml"></object>'), 'x.svg': SVG },
    'svg-embed': { '': page('<embed src="x.svg" type="image/svg+xml">'), 'x.svg': SVG },
    'svg-top': { '': SVG },
    'xhtml-top': { '': XHTML },
    'worker-answers': controlled(`new Response(${string(page(inner))}, { headers: { 'content-type': 'text/html' } })`),
    'srcdoc-by-html-after-load': script(`onload=()=>setTimeout(()=>{document.body.innerHTML=${string(`<iframe srcdoc="${attribute(inner)}"></iframe>`)}},50)`),
};

export { TRIED };
