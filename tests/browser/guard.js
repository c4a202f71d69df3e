// Visits the pages of guard-site.js: node guard.js PROGRAM PORT [CASE,CASE]
//
// PROGRAM is Chromium or Firefox. Each page is visited without a guard, with one that watches and with one that enforces. Prints
// as JSON, for each of the three: the cookies at the end, what browsers have reported, and the errors of pages; and the same
// for each library. ALL=1 also visits the cases that the guard is known not to stop.

import { setTimeout as sleep } from 'node:timers/promises';

import puppeteer from 'puppeteer-core';

import { CASES, REMAINING } from './guard-cases.js';
import { LIBRARIES } from './guard-libraries.js';

const [program, port, only] = process.argv.slice(2);
const isFirefox = program.includes('firefox');
const cases = Object.keys(process.env.ALL ? { ...CASES, ...REMAINING } : CASES).filter((name) => !only || only.split(',').includes(name));
const TABS = 4;

const browser = await puppeteer.launch({
    browser: isFirefox ? 'firefox' : 'chrome',
    executablePath: program,
    timeout: 60_000,
    args: isFirefox ? [] : [
        '--no-sandbox',
        '--disable-background-networking',
        '--disable-gpu',
        '--host-resolver-rules=MAP *.localhost 127.0.0.1',
    ],
    // Pages open windows without a click.
    extraPrefsFirefox: { 'dom.disable_open_during_load': false },
});

const site = (path) => `http://127.0.0.1:${port}${path}`;

// Opens a page, and leaves it as soon as it has tried: leaving sends its report.
async function visit(page, mode, kind, name, errors) {
    const waited = fetch(site(`/wait/${mode}/${name}`), { signal: AbortSignal.timeout(15_000) });
    // Firefox reports a cookie that it rejects as an error of the page.
    const onError = ({ message }) => message.startsWith('Cookie ') || errors.push(`${name}: ${message}`);
    page.on('pageerror', onError);
    await page.goto(`http://${mode}.guard.localhost:${port}/${kind}/${name}/`, { waitUntil: 'domcontentloaded' });
    await waited.catch(() => errors.push(`${name}: it has not tried`));
    // Firefox forgets what a frame has just set if the page is left at once.
    await page.evaluate(async () => (await fetch(`${window.origin}/robots.txt`)).text());
    if (mode !== 'enforce' && kind === 'case') await untilJarHas(page.browserContext(), name);
    // Chromium loses the report of a page that a worker controls if the page is left at once.
    if (mode !== 'none' && name.startsWith('worker')) await reportsOf(mode, [{ name: `_${name}` }]);
    await page.goto('about:blank');
    page.off('pageerror', onError);
}

// Waits until a cookie with this value is in the jar; not for the case that sets none.
async function untilJarHas(context, value) {
    for (let tries = 0; value !== 'storage' && tries < 60; tries += 1) {
        if ((await cookiesOf(context)).some((cookie) => cookie.value === value)) return;
        await sleep(50);
    }
}

async function cookiesOf(context) {
    return (await context.cookies()).map(({ name, value }) => {
        if (!isFirefox) return { name, value };
        // Firefox reports the bytes of a name as characters, and the value of a cookie without a name as its name.
        return value === '' ? { name: '', value: name } : { name: Buffer.from(name, 'latin1').toString(), value };
    });
}

// The lines that browsers have reported, as soon as each of these cookies is among them, or after a while.
async function reportsOf(mode, cookies) {
    for (let tries = 0; ; tries += 1) {
        const lines = await (await fetch(site(`/seen/${mode}`))).json();
        if (tries === 40 || cookies.every(({ name }) => lines.includes(`c${name}`))) return lines;
        await sleep(50);
    }
}

async function visitCases(mode) {
    const context = await browser.createBrowserContext();
    const errors = [];
    const names = [...cases];
    const pages = [];
    // One after the other: Firefox can't open two at a time.
    while (pages.length !== TABS) pages.push(await context.newPage());
    await Promise.all(pages.map(async (page) => {
        for (let name; (name = names.shift());) await visit(page, mode, 'case', name, errors);
    }));
    const cookies = await cookiesOf(context);
    await context.close();
    return { cookies, errors };
}

async function visitLibrary(mode, name) {
    const context = await browser.createBrowserContext();
    const errors = [];
    await visit(await context.newPage(), mode, 'library', name, errors);
    const cookies = (await cookiesOf(context)).map(({ name }) => name);
    await context.close();
    return { cookies, errors };
}

const found = {};
try {
    for (const mode of ['none', 'watch', 'enforce']) {
        const libraries = {};
        found[mode] = { ...await visitCases(mode), libraries };
        for (const name of Object.keys(LIBRARIES)) libraries[name] = await visitLibrary(mode, name);
        found[mode].reported = await reportsOf(mode, mode === 'none' ? [] : found.none.cookies);
    }
    console.log(JSON.stringify(found));
} finally {
    await browser.close();
}
