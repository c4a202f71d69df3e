// Serves the cases of guard-cases.js on a port that it prints: node guard-site.js [FOLDER]
//
// The guard is on the pages of the hosts that begin with "enforce." and "watch.": the site puts the scripts of FOLDER there,
// which holds MODE.html and MODE.worker.js. Without a folder something in front of the site does that.
//
//     /case/NAME/      the page of a case
//     /library/NAME/   the page with a library
//     /done/NAME       a page reports that it has tried
//     /wait/MODE/NAME  answers as soon as that has happened
//     /seen/MODE       the lines that browsers have reported, as JSON
//     /stream/CODING/  a page that arrives in parts (guard-stream.js)
//     /got/CODING/N    a part of it has arrived

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

import { CASES, REMAINING } from './guard-cases.js';
import { LIBRARIES } from './guard-libraries.js';
import { receivePart, stream } from './guard-stream.js';

const [folder] = process.argv.slice(2);
const ALL = { ...CASES, ...REMAINING };
const SEEN = '/.well-known/cookies/seen';

const guards = Object.fromEntries(['enforce', 'watch'].map((mode) => [mode, folder && {
    html: readFileSync(join(folder, `${mode}.html`), 'utf8'),
    worker: readFileSync(join(folder, `${mode}.worker.js`), 'utf8'),
}]));

const done = new Set();
const waiting = new Map();
const seen = {};

const HTML = { 'content-type': 'text/html; charset=utf-8' };
const NOT_FOUND = [404, {}, ''];

// What a path leads to at an origin: the status, the headers and the text.
function find(origin, path) {
    const [, kind, name, part] = path.split('/');
    const [status, fields, text] = { case: fileOfCase, library: fileOfLibrary }[kind]?.(name, part) ?? NOT_FOUND;
    const address = `${origin}/done/${name}`;
    const tried = `new Image().src='${address}'`;
    return [status, fields, kind === 'library' && part !== '' ? text : text
        .replaceAll('LATER', `setTimeout(() => { ${tried} }, 300)`).replaceAll('TRIED', tried)
        .replaceAll('DONE', address).replaceAll('NAME', name)];
}

function fileOfCase(name, part) {
    const found = ALL[name];
    const content = typeof found === 'string' ? (part === '' ? found : null) : found?.[part];
    if (!content) return NOT_FOUND;
    return Array.isArray(content) ? [200, ...content] : [200, HTML, content];
}

function fileOfLibrary(name, part) {
    const [files, statement] = LIBRARIES[name];
    if (part === '') {
        const scripts = files.map((_, index) => `<script src="${index}"></script>`).join('');
        return [200, HTML, `<!doctype html><html lang="en"><head><title>x</title>${scripts}</head><body><script>${statement}</script></body></html>`];
    }
    if (!files[part]) return NOT_FOUND;
    const file = new URL(`node_modules/${files[part]}`, import.meta.url);
    return [200, { 'content-type': 'text/javascript; charset=utf-8' }, readFileSync(file, 'utf8')];
}

function guarded(mode, request, fields, text) {
    const guard = guards[mode];
    if (!guard) return text;
    if (fields['content-type']?.startsWith('text/html')) return text.replace('<head>', () => `<head>${guard.html}`);
    const isWorker = request.headers['service-worker'] === 'script' || ['serviceworker', 'worker'].includes(request.headers['sec-fetch-dest']);
    return isWorker ? guard.worker + text : text;
}

async function body(request) {
    let text = '';
    for await (const part of request) text += part;
    return text;
}

const server = createServer(async (request, response) => {
    const { host } = request.headers;
    const [mode] = host.split('.');
    const { pathname: path, searchParams } = new URL(request.url, 'http://x');
    const answer = (status, fields = {}, text = '') => response.writeHead(status, { 'cache-control': 'no-store', ...fields }).end(text);
    if (path === SEEN) {
        (seen[mode] ??= []).push(...(await body(request)).split('\n').filter(Boolean));
        answer(204);
    } else if (path.startsWith('/done/')) {
        const key = `${mode}/${path.split('/')[2]}`;
        if (waiting.has(key)) waiting.get(key)();
        else done.add(key);
        waiting.delete(key);
        answer(200, { 'content-type': 'image/svg+xml', 'access-control-allow-origin': '*' }, '<svg xmlns="http://www.w3.org/2000/svg"/>');
    } else if (path.startsWith('/wait/')) {
        const key = path.slice('/wait/'.length);
        if (!done.delete(key)) await new Promise((resolve) => waiting.set(key, resolve));
        answer(200);
    } else if (path.startsWith('/stream/')) {
        await stream(response, path.split('/')[2], Number(searchParams.get('pause')));
    } else if (path.startsWith('/got/')) {
        receivePart(path.slice('/got/'.length));
        answer(204);
    } else if (path.startsWith('/seen/')) {
        answer(200, { 'content-type': 'application/json' }, JSON.stringify(seen[path.slice('/seen/'.length)] ?? []));
    } else if (path.startsWith('/ingest')) {
        await body(request);
        answer(200, { 'content-type': 'application/json' }, '{}');
    } else if (path === '/robots.txt') {
        answer(200, { 'content-type': 'text/plain' }, 'User-agent: *\n');
    } else {
        // Something in front of the site says by which scheme the page was requested.
        const origin = `${request.headers['x-forwarded-proto'] ?? 'http'}://${host}`;
        const [status, fields, text] = find(origin, path);
        answer(status, fields, guarded(mode, request, fields, text));
    }
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
