// Opens pages with the policies of a table, without and with the guard's script: node csp.js CHROMIUM FIREFOX FILE
//
// FILE is JSON: { certificate, key, guard, own, handler, cases: [{ before, after }] }, where `guard`, `own` and `handler` are
// texts of scripts, and each case has the fields of a page. Prints for each browser and case what the page could do before
// and after, if the guard's script ran, and if its report arrived.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

import puppeteer from 'puppeteer-core';

const [chromium, firefox, file] = process.argv.slice(2);
const { certificate, key, guard, own, handler, cases } = JSON.parse(readFileSync(file, 'utf8'));

const note = (what) => `document.documentElement.dataset.${what} = 1;`;

const page = (head) => `<!doctype html>
<html lang="en"><head>${head}<meta charset="utf-8"><title>A page</title>
<script>${own}</script>
<script>${note('unknown')}</script>
<script nonce="n0nce">${note('nonce')}
const script = document.createElement('script');
script.src = '/dynamic.js';
document.head.append(script);
</script>
<script src="/external.js"></script>
<script src="/externalNonce.js" nonce="n0nce"></script>
<script src="https://other.localhost:${port}/other.js"></script>
<style>h1 { color: rgb(1, 2, 3); }</style>
<style nonce="n0nce">h2 { color: rgb(1, 2, 3); }</style>
</head><body>
<h1>One</h1><h2>Two</h2><p style="color: rgb(1, 2, 3)">Three</p>
<img alt="" src="data:," onerror="${handler}">
</body></html>`;

const reports = new Set();
let port;

const server = createServer({ cert: certificate, key }, async (request, response) => {
    const [, kind, number] = request.url.split('/');
    if (request.method === 'POST') {
        let body = '';
        for await (const part of request) body += part;
        reports.add(`${request.headers['user-agent'].includes('Firefox') ? 'firefox' : 'chrome'} ${body}`);
        response.writeHead(204).end();
    } else if (kind in { before: 1, after: 1 }) {
        response.setHeader('content-type', 'text/html; charset=utf-8');
        for (const [name, value] of cases[number][kind]) response.appendHeader(name, value.replaceAll('PORT', port));
        response.end(page(kind === 'after' ? `<script>${guard}</script>` : ''));
    } else if (kind === 'worker.js') {
        response.setHeader('content-type', 'text/javascript');
        response.end('postMessage(1);');
    } else if (kind.endsWith('.js')) {
        response.setHeader('content-type', 'text/javascript');
        response.end(note(kind.slice(0, -3)));
    } else {
        response.setHeader('access-control-allow-origin', '*');
        response.end('data');
    }
});

// Tries what scripts of the page can try, and returns what has worked.
async function tryAll(port) {
    const { dataset } = document.documentElement;
    const soon = () => new Promise((resolve) => { setTimeout(resolve, 50); });
    const attempt = async (action) => {
        try { return String(await action()); } catch { return 'blocked'; }
    };
    const color = (selector) => getComputedStyle(document.querySelector(selector)).color;
    const work = () => new Promise((resolve, reject) => {
        const worker = new Worker('/worker.js');
        worker.onmessage = resolve;
        worker.onerror = reject;
    });
    const found = {
        fetch: await attempt(async () => (await fetch('/data')).status),
        fetchOther: await attempt(async () => (await fetch(`https://other.localhost:${port}/data`)).status),
        worker: await attempt(async () => { await work(); return 'runs'; }),
        string: await attempt(async () => { setTimeout('document.documentElement.dataset.timer = 1'); return 'set'; }),
        address: await attempt(async () => { location.href = 'javascript:void(document.documentElement.dataset.address = 1)'; return 'set'; }),
        styles: ['h1', 'h2', 'p'].map(color).join(' '),
    };
    await soon();
    const { guard, ...scripts } = dataset;
    return { guard: guard === '1', page: { ...found, ...scripts } };
}

async function look(tab, kind, number) {
    await tab.goto(`https://page.localhost:${port}/${kind}/${number}`, { waitUntil: 'load' });
    return tab.evaluate(tryAll, port);
}

async function lookAtAll(options) {
    const browser = await puppeteer.launch({ headless: true, acceptInsecureCerts: true, ...options });
    const found = [];
    try {
        const tab = await browser.newPage();
        for (const number of cases.keys()) {
            const before = await look(tab, 'before', number);
            const after = await look(tab, 'after', number);
            found.push({ before: before.page, after: after.page, ran: after.guard });
        }
    } finally {
        await browser.close();
    }
    return found.map((one, number) => ({ ...one, reported: reports.has(`${options.browser} /after/${number}`) }));
}

server.listen(0, '127.0.0.1', async () => {
    ({ port } = server.address());
    try {
        const args = ['--no-sandbox', '--disable-background-networking', '--disable-gpu'];
        const [inChromium, inFirefox] = await Promise.all([
            lookAtAll({ browser: 'chrome', executablePath: chromium, args }),
            lookAtAll({ browser: 'firefox', executablePath: firefox }),
        ]);
        console.log(JSON.stringify({ chromium: inChromium, firefox: inFirefox }));
    } finally {
        server.close();
    }
});
