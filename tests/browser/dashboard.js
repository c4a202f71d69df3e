// Works with the dashboard as operators do, with Chromium:
//
//     node dashboard.js CHROMIUM look DASHBOARD SITE      what a validator of HTML and axe find, in every state of the page
//     node dashboard.js CHROMIUM live DASHBOARD SITE      a tracker that appears, a gateway that goes away, a hidden tab
//     node dashboard.js CHROMIUM change DASHBOARD SITE    a session that is changed by the keyboard alone
//     node dashboard.js CHROMIUM stale DASHBOARD SITE     a session that somebody else changes meanwhile
//     node dashboard.js CHROMIUM plain DASHBOARD SITE     the page without its script
//     node dashboard.js CHROMIUM tokens DASHBOARD OPERATOR AUDITOR
//
// DASHBOARD is the admin address, SITE a tenant's that the gateway serves. SHOTS names a folder for pictures of all that
// `look` looks at. Prints what it has found as JSON. What that should be is for the test to say.

import { request } from 'node:https';
import { join } from 'node:path';

import axe from 'axe-core';
import { HtmlValidate } from 'html-validate';
import { chromium } from 'playwright-core';

const [program, task, dashboard, ...rest] = process.argv.slice(2);
const browser = await chromium.launch({
    executablePath: program,
    timeout: 60_000,
    args: ['--no-sandbox', '--disable-background-networking', '--disable-gpu'],
});

const TENANT = 'new.localhost';

// Opens the dashboard, and notes what it says, and what it loads from elsewhere.
async function open(path = '', options = {}) {
    const context = await browser.newContext({ locale: 'en-GB', ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    const reported = [];
    page.on('console', (message) => reported.push(message.text()));
    page.on('pageerror', (error) => reported.push(String(error)));
    page.on('request', (request) => {
        if (!request.url().startsWith(dashboard)) reported.push(`loads ${request.url()}`);
    });
    await page.goto(dashboard + path);
    return { page, context, reported };
}

const isLive = (page) => page.waitForSelector('#link[data-state=live]');
const text = (page, selector) => page.locator(selector).first().innerText();

async function set(session) {
    const answer = await fetch(`${dashboard}v1/tenants/${TENANT}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ session, mode: 'enforce' }),
    });
    return answer.json();
}

// Visits the gateway, which has made its certificate a moment ago; returns the fields of the answer.
function visit(site, host, cookie, path = '/') {
    const { port } = new URL(site);
    const headers = { host: `${host}:${port}`, ...(cookie && { cookie }) };
    const options = { host: '127.0.0.1', port, servername: host, path, headers, rejectUnauthorized: false };
    return new Promise((resolve, reject) => {
        const asked = request(options, (answer) => {
            answer.resume();
            answer.on('end', () => resolve(answer.headers));
        });
        asked.on('error', reject);
        asked.end();
    });
}

async function sessionOf(site) {
    const fields = (await visit(site, TENANT))['set-cookie'];
    const field = fields.find((field) => field.startsWith('flexopus_session='));
    return Number(/Max-Age=(\d+)/.exec(field)[1]);
}

async function validate(html) {
    const report = await new HtmlValidate({
        extends: ['html-validate:recommended'],
        // Of one line each: how the page is written, and how the browser reports it.
        rules: { 'no-trailing-whitespace': 'off', 'no-inline-style': 'error', 'no-implicit-close': 'off' },
    }).validateString(html);
    return report.results.flatMap((result) => result.messages.map(
        ({ ruleId, message, selector }) => `${ruleId}: ${message}: ${selector}`,
    ));
}

async function violations(page) {
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate(() => window.axe.run());
    const found = violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.html}`));
    const isTooWide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
    return isTooWide ? [...found, 'the page is wider than the window'] : found;
}

async function look([site]) {
    await set('20m');
    for (const cookie of ['_ga=1', '_fbp=2; unheard_of=3', '<b>=4']) await visit(site, TENANT, cookie);
    const found = {};
    const note = async (state, page) => {
        found[state] = await violations(page);
        if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, `${state}.png`), fullPage: true });
    };
    const windows = [['en', 'desktop', 'light', 1440, 900], ['de', 'phone', 'dark', 390, 844]];
    // For pictures, the others too.
    const others = [['de', 'desktop', 'light', 1440, 900], ['en', 'phone', 'dark', 390, 844]];
    for (const [lang, width, colorScheme, ...size] of process.env.SHOTS ? [...windows, ...others] : windows) {
        const name = `${lang}-${colorScheme}-${width}`;
        const viewport = { width: size[0], height: size[1] };
        const { page, reported, context } = await open(`?lang=${lang}`, { colorScheme, viewport });
        await isLive(page);
        await note(name, page);
        found[name].push(...(await validate(await (await fetch(`${dashboard}?lang=${lang}`)).text())));
        await page.locator('.edit').first().click();
        await page.locator('.editor input').fill('never');
        await page.keyboard.press('Enter');
        await page.waitForFunction(() => document.querySelector('.editor .refusal').textContent !== '');
        // One language has the same elements as the other.
        if (lang === 'en') await note(`${name}-refused`, page);
        await page.locator('.editor input').fill('3d');
        await page.keyboard.press('Enter');
        await page.waitForSelector('#confirm[open]');
        if (lang === 'de') await note(`${name}-confirm`, page);
        // The browser says itself that an answer was a refusal.
        found[name].push(...reported.filter((line) => !line.includes('status of 422')));
        await context.close();
    }
    return found;
}

async function live([site]) {
    const found = {};
    const { page, context, reported } = await open();
    await isLive(page);
    found.before = await text(page, '[data-slot=names]');
    await page.evaluate(() => { window.wasHereBefore = true; });
    // Where the application sets nothing.
    await visit(site, 'acme.localhost', '_fbp=fb.1; <b>=1; flexopus_session=a', '/api/desks');
    await page.waitForSelector('[data-slot=names] td:has-text("Meta")');
    found.names = await page.locator('[data-slot=names] tbody th').allInnerTexts();
    await visit(site, 'acme.localhost');
    await page.waitForFunction(() => {
        const tiles = [...document.querySelectorAll('.tiles > div')];
        return tiles.every((tile) => tile.querySelector('.value').textContent !== '0'
            && tile.querySelector('.line') !== null);
    });
    found.tiles = await page.locator('.tiles .value').allInnerTexts();
    found.pictures = await page.locator('.tiles svg').evaluateAll((all) => all.map((one) => one.getAttribute('aria-label')));
    found.bold = await page.locator('[data-slot=names] b').count();
    found.isSamePage = await page.evaluate(() => window.wasHereBefore);
    found.reported = [...reported];

    await context.setOffline(true);
    await page.waitForSelector('#link[data-state=lost]');
    found.lost = { link: await text(page, '#link'), trouble: await text(page, '#trouble') };
    await context.setOffline(false);
    await isLive(page);
    found.foundAgain = await page.locator('#trouble').isHidden();

    let asked = 0;
    page.on('request', () => { asked += 1; });
    const turn = (isHidden) => page.evaluate((isHidden) => {
        Object.defineProperty(document, 'hidden', { value: isHidden, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
    }, isHidden);
    await page.clock.install();
    await turn(true);
    await page.clock.runFor(60_000);
    found.hidden = { link: await text(page, '#link'), asked };
    await turn(false);
    await isLive(page);
    found.shownAgain = asked > 0;
    return found;
}

// Presses a key until what has the focus is that.
async function press(page, key, selector) {
    const isThere = () => page.evaluate((selector) => document.activeElement.matches(selector), selector);
    for (let presses = 0; presses < 200; presses += 1) {
        if (await isThere()) return;
        await page.keyboard.press(key);
    }
    throw new Error(`${selector} can't be reached by ${key}`);
}

async function change([site]) {
    const made = await set('20m');
    const found = { before: await sessionOf(site) };
    const { page, reported } = await open();
    await isLive(page);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    found.skipped = await page.evaluate(() => document.activeElement.id);
    await press(page, 'Tab', '#search-text');
    await page.keyboard.type('NEW.');
    await page.waitForFunction(() => document.querySelectorAll('.hosts tbody tr').length === 1);
    await press(page, 'Tab', '.edit');
    // Away and back: the focus is where it was.
    await page.keyboard.press('Enter');
    await page.keyboard.press('Escape');
    found.isBack = await page.evaluate(() => document.activeElement.matches('.edit'));
    await press(page, 'Tab', '.edit');
    await page.keyboard.press('Enter');
    await page.keyboard.type('45 minutes');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelector('.editor .refusal').textContent !== '');
    found.refusal = await text(page, '.editor .refusal');
    await page.keyboard.press('Control+A');
    await page.keyboard.type('45m');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#confirm[open]');
    found.difference = await page.locator('#confirm dd').allInnerTexts();
    found.unconfirmed = await sessionOf(site);
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelector('#announcement').textContent.includes('45m'));
    found.announced = await page.locator('#announcement').textContent();
    found.row = await text(page, '.hosts tbody tr');
    found.hasFocus = await page.evaluate(() => document.activeElement.matches('.edit'));
    found.after = await sessionOf(site);
    const now = await (await fetch(`${dashboard}v1/tenants/${TENANT}`)).json();
    found.keys = { before: made.after.keys, after: now.keys };
    found.reported = reported.filter((line) => !line.includes('status of 422'));
    return found;
}

async function stale() {
    await set('20m');
    const { page } = await open('?lang=de');
    await isLive(page);
    await page.locator(`tr[data-host="${TENANT}"] .edit`).click();
    await page.locator('.editor input').fill('1h');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#confirm[open]');
    await set('3h');
    await page.locator('#confirm .do').click();
    await page.waitForFunction(() => document.querySelector('#confirm .refusal').textContent !== '');
    const refusal = page.locator('#confirm .refusal');
    const found = { refusal: await refusal.innerText(), lang: await refusal.getAttribute('lang') };
    await page.keyboard.press('Escape');
    found.isEditing = await page.evaluate(() => document.activeElement.matches('.editor input'));
    await page.keyboard.press('Escape');
    await page.waitForSelector(`tr[data-host="${TENANT}"] .session:text-is("3h")`);
    // Nobody has asked for it: the list looks again by itself.
    await set('4h');
    await page.waitForSelector(`tr[data-host="${TENANT}"] .session:text-is("4h")`);
    return found;
}

async function plain([site]) {
    await set('20m');
    await visit(site, TENANT, '_fbp=1');
    const { page } = await open('?lang=de', { javaScriptEnabled: false });
    const found = { notice: await text(page, 'noscript'), title: await text(page, '#title-tenants') };
    await page.locator('#search-text').fill('NEW.');
    await page.keyboard.press('Enter');
    await page.waitForURL(/q=NEW/);
    found.hosts = await page.locator('.hosts tbody th').allInnerTexts();
    found.language = await page.locator('html').getAttribute('lang');
    await page.locator('nav a').click();
    await page.waitForURL(/lang=en/);
    found.other = {
        language: await page.locator('html').getAttribute('lang'),
        hosts: await page.locator('.hosts tbody th').allInnerTexts(),
    };
    return found;
}

async function tokens([operator, auditor]) {
    const { page, context } = await open();
    const addresses = [];
    page.on('request', (request) => addresses.push(request.url()));
    await page.waitForSelector('#token:visible');
    const found = { before: await text(page, 'body'), violations: await violations(page) };
    found.valid = await validate(await (await fetch(dashboard)).text());
    const give = async (token) => {
        await page.locator('#token-text').fill(token);
        await page.keyboard.press('Enter');
    };
    await give('nobody-0123456789abcdef0123456789');
    await page.waitForFunction(() => document.querySelector('#token-wrong').textContent !== '');
    found.wrong = await text(page, '#token-wrong');
    await give(auditor);
    await page.waitForSelector('.hosts');
    found.auditor = { edits: await page.locator('.edit').count(), note: await text(page, '#hosts') };
    await page.locator('#forget').click();
    await page.waitForSelector('#token:visible');
    found.forgotten = await text(page, 'body');
    await give(operator);
    await page.waitForSelector('.edit');
    found.operator = await page.locator('.edit').count();
    // In this tab it is kept.
    await page.reload();
    await page.waitForSelector('.edit');
    found.cookies = await context.cookies();
    found.inAddresses = addresses.filter((address) => address.includes(operator) || address.includes(auditor));
    found.stored = await page.evaluate(() => localStorage.length);
    const other = await context.newPage();
    await other.goto(dashboard);
    await other.waitForSelector('#token:visible');
    found.otherTab = await other.locator('#board').isHidden();
    return found;
}

try {
    const found = await { change, live, look, plain, stale, tokens }[task](rest);
    console.log(JSON.stringify(found));
} finally {
    await browser.close();
}
