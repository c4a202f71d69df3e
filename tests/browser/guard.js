// Visits the pages of guard-site.js: node guard.js PROGRAM PORT [GATEWAY ADMIN]
//
// PROGRAM is Chromium or Firefox. Each page is visited without a guard, with one that watches and with one that enforces. With
// the ports of a gateway before the site, and of its administration, the pages are visited through the gateway, without a
// guard and with one that enforces.
//
// Prints as JSON, for each of these modes: the cookies at the end, all that the jar has held meanwhile, what browsers have
// reported, and the errors of pages; and the same for each library. Of a gateway also the undeclared cookies that browsers
// have sent to it, and the parts of a page that arrives in parts. ALL=1 also visits the cases that the guard is known not to
// stop, ONLY=CASE,CASE only these, and PAUSE=1000 waits a second between the parts.

import { setTimeout as sleep } from 'node:timers/promises';

import puppeteer from 'puppeteer-core';

import { CASES, REMAINING } from './guard-cases.js';
import { LIBRARIES } from './guard-libraries.js';

const [program, port, gateway, admin] = process.argv.slice(2);
const { ALL, ONLY, PAUSE = 0 } = process.env;
const isFirefox = program.includes('firefox');
const cases = Object.keys(ALL ? { ...CASES, ...REMAINING } : CASES).filter((name) => !ONLY || ONLY.split(',').includes(name));
const modes = gateway ? ['none', 'enforce'] : ['none', 'watch', 'enforce'];
const TABS = 4;

const browser = await puppeteer.launch({
    browser: isFirefox ? 'firefox' : 'chrome',
    executablePath: program,
    timeout: 60_000,
    acceptInsecureCerts: true,
    args: isFirefox ? [] : [
        '--no-sandbox',
        '--disable-background-networking',
        '--disable-gpu',
        '--disable-quic',
        '--host-resolver-rules=MAP *.localhost 127.0.0.1',
    ],
    // Pages open windows without a click.
    extraPrefsFirefox: { 'dom.disable_open_during_load': false },
});

const site = (path) => `http://127.0.0.1:${port}${path}`;
const hostOf = (mode) => `${mode}.guard.localhost`;
const originOf = (mode) => (gateway ? `https://${hostOf(mode)}:${gateway}` : `http://${hostOf(mode)}:${port}`);

// Opens a page, and leaves it as soon as it has tried: leaving sends its report.
async function visit(page, mode, kind, name, errors) {
    const waited = fetch(site(`/wait/${mode}/${name}`), { signal: AbortSignal.timeout(15_000) });
    // Firefox reports a cookie that it rejects as an error of the page.
    const onError = ({ message }) => message.startsWith('Cookie ') || errors.push(`${name}: ${message}`);
    page.on('pageerror', onError);
    await page.goto(`${originOf(mode)}/${kind}/${name}/`, { waitUntil: 'domcontentloaded' });
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

// All cookies of the jar, whatever their domain.
async function cookiesOf(context) {
    return (await context.cookies()).map(({ name, value, domain }) => {
        if (!isFirefox) return { name, value, domain };
        // Firefox reports the bytes of a name as characters, and the value of a cookie without a name as its name.
        return value === '' ? { name: '', value: name, domain } : { name: Buffer.from(name, 'latin1').toString(), value, domain };
    });
}

// Opens tabs with an empty jar, and looks into the jar again and again while `run` uses them. Returns the cookies at the end,
// those that it has held at any moment, and the errors of pages.
async function watched(count, run) {
    const context = await browser.createBrowserContext();
    const held = new Map();
    const look = async () => {
        const cookies = await cookiesOf(context);
        cookies.forEach((cookie) => held.set(JSON.stringify(cookie), cookie));
        return cookies;
    };
    const errors = [];
    const pages = [];
    // One after the other: Firefox can't open two at a time.
    while (pages.length !== count) pages.push(await context.newPage());
    let isOver = false;
    const looking = (async () => {
        for (; !isOver; await sleep(10)) await look();
    })();
    await run(pages, errors).finally(() => { isOver = true; });
    await looking;
    const cookies = await look();
    await context.close();
    return { cookies, held: [...held.values()], errors };
}

// The gateway's own report, of one mode's tenant.
async function evidenceOf(mode) {
    const { guard, stripped } = await (await fetch(`http://127.0.0.1:${admin}/v1/audit/report`)).json();
    const ofTenant = ({ tenant }) => tenant === hostOf(mode);
    return { names: guard.names.filter(ofTenant), stripped: stripped.filter(ofTenant) };
}

// The lines that browsers have reported: to the site, or to the gateway, in whose evidence they are.
async function linesOf(mode) {
    if (!gateway) return (await fetch(site(`/seen/${mode}`))).json();
    const kinds = { cookie: 'c', local_storage: 'l', session_storage: 's', indexed_db: 'i' };
    return (await evidenceOf(mode)).names.map(({ kind, name }) => kinds[kind] + (name ?? ''));
}

// The line that reports a cookie. The gateway writes bytes outside of ASCII as escapes.
function lineOf({ name }) {
    const escape = (byte) => (byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`);
    return `c${gateway ? [...Buffer.from(name)].map(escape).join('') : name}`;
}

// The lines that browsers have reported, as soon as each of these cookies is among them, or after a while.
async function reportsOf(mode, cookies) {
    for (let tries = 0; ; tries += 1) {
        const lines = await linesOf(mode);
        if (tries === 40 || cookies.every((cookie) => lines.includes(lineOf(cookie)))) return lines;
        await sleep(50);
    }
}

async function visitCases(mode) {
    const names = [...cases];
    return watched(TABS, async (pages, errors) => {
        await Promise.all(pages.map(async (page) => {
            for (let name; (name = names.shift());) await visit(page, mode, 'case', name, errors);
        }));
        if (gateway && mode === 'enforce') await visitAgain(pages[0], mode, errors);
    });
}

// Visits the cases again that are not in the evidence: the gateway reads only some reports in a second. One page after the
// other sends fewer.
async function visitAgain(page, mode, errors) {
    const cookies = found.none.cookies.filter(({ name }) => name !== 'XSRF-TOKEN');
    for (let times = 0; times !== 3; times += 1) {
        const lines = await reportsOf(mode, cookies);
        for (const cookie of cookies.filter((cookie) => !lines.includes(lineOf(cookie)))) {
            await visit(page, mode, 'case', cookie.value, errors);
            await reportsOf(mode, [cookie]);
        }
    }
}

async function visitLibrary(mode, name) {
    const { cookies, held, errors } = await watched(1, ([page], errors) => visit(page, mode, 'library', name, errors));
    return { cookies: cookies.map(({ name }) => name), held: held.map(({ name }) => name), errors };
}

// The parts of a page, as its scripts have noted them: their numbers, and the milliseconds since the navigation.
async function visitStream(mode, coding) {
    let parts;
    const { held, errors } = await watched(1, async ([page], errors) => {
        page.on('pageerror', ({ message }) => errors.push(message));
        await page.goto(`${originOf(mode)}/stream/${coding}/?pause=${PAUSE}`, { timeout: 30_000 });
        parts = await page.evaluate('parts');
    });
    return { held: held.map(({ name }) => name), errors, parts };
}

const found = {};
try {
    for (const mode of modes) {
        const libraries = {};
        found[mode] = { ...await visitCases(mode), libraries };
        for (const name of Object.keys(LIBRARIES)) libraries[name] = await visitLibrary(mode, name);
        if (gateway) {
            const streams = found[mode].streams = {};
            for (const coding of ['identity', 'gzip', 'br']) streams[coding] = await visitStream(mode, coding);
        }
        found[mode].reported = await reportsOf(mode, mode === 'none' ? [] : found.none.cookies);
        if (gateway) found[mode].stripped = (await evidenceOf(mode)).stripped;
    }
    console.log(JSON.stringify(found));
} finally {
    await browser.close();
}
