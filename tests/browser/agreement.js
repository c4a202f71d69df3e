// Visits sites that ask people before cookies are used, with Chromium and by the keyboard:
//
//     node agreement.js CHROMIUM required SITE     asked, declines, agrees, works, comes back, withdraws
//     node agreement.js CHROMIUM notice SITE       asked, works, agrees, comes back, withdraws
//     node agreement.js CHROMIUM pages SITE        pages that can carry a banner, and pages that can't
//
// The first two visit in English and in German, once with scripts and once without: where those don't run, less can be found
// out. SHOTS names a folder for pictures. Prints what it has found as JSON. What that should be is for the test to say.

import { join } from 'node:path';

import axe from 'axe-core';
import { chromium } from 'playwright-core';

const [program, task, site] = process.argv.slice(2);

const PAGE = '/.well-known/cookies';
// Somewhere within the application, where nothing runs.
const DEEP = '/map-builder/help?day=1&room=A%2FB';
const WIDE = { colorScheme: 'light', viewport: { width: 1280, height: 800 } };
const NARROW = { colorScheme: 'dark', viewport: { width: 390, height: 844 } };

const browser = await chromium.launch({
    executablePath: program,
    timeout: 60_000,
    args: [
        '--no-sandbox',
        '--disable-background-networking',
        '--disable-gpu',
        '--host-resolver-rules=MAP *.localhost 127.0.0.1',
    ],
});

// Somebody's browser, with these cookies.
async function open(options, cookies = []) {
    const storageState = { cookies, origins: [] };
    const context = await browser.newContext({ ignoreHTTPSErrors: true, storageState, ...options });
    context.setDefaultTimeout(20_000);
    return context.newPage();
}

// Closes it, and opens it again with the cookies that are kept over that.
async function reopen(page, options) {
    const { cookies } = await page.context().storageState();
    await page.context().close();
    return open(options, cookies.filter(({ expires }) => expires > 0));
}

const at = (path) => new URL(path, site).href;

// What is shown, and what the browser holds.
async function look(page, answer) {
    const cookies = await page.context().cookies(site);
    const declared = ['XSRF-TOKEN', 'flexopus_session', 'visitedMapBuilder'];
    const banner = page.locator('.crumbgate-banner');
    return {
        address: page.url().slice(at('/').length - 1),
        status: answer?.status(),
        language: await page.locator('html').getAttribute('lang'),
        title: await page.locator('h1').innerText(),
        banner: (await banner.count()) ? await banner.innerText() : null,
        cookies: cookies.map(({ name }) => name).filter((name) => declared.includes(name)).sort(),
        isSealed: cookies.some(({ name, value }) => name === 'flexopus_session' && value.startsWith('cg1.')),
        user: (await page.getByRole('button', { name: 'Log out Ada' }).count()) === 1,
    };
}

async function go(page, path) {
    return look(page, await page.goto(at(path)));
}

async function picture(page, name) {
    if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) });
}

// Presses Tab until a button is reached, which can then be seen to have the focus.
async function reach(page, action) {
    const button = page.locator(`form[action^="${PAGE}/${action}?"] button`);
    for (let presses = 0; presses < 50; presses += 1) {
        await page.keyboard.press('Tab');
        if (await button.evaluate((button) => button === document.activeElement)) break;
    }
    return button.evaluate((button) => {
        const { outlineStyle, outlineWidth } = getComputedStyle(button);
        const { top, bottom } = button.getBoundingClientRect();
        const isInside = top >= 0 && bottom <= window.innerHeight;
        return button.matches(':focus-visible') && outlineStyle === 'solid' && parseFloat(outlineWidth) >= 2 && isInside;
    });
}

// Does something on a page of the gateway, by the keyboard; where that leads.
async function act(page, action) {
    const isReached = await reach(page, action);
    // It may lead to the address that is shown already.
    const [answer] = await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
    return { isReached, ...(await look(page, answer)) };
}

async function logIn(page) {
    await page.goto(at('/login'));
    await page.getByLabel('Name').fill('Ada');
    await page.keyboard.press('Enter');
    await page.waitForURL(at('/'));
    return look(page);
}

async function violations(page) {
    await page.evaluate(axe.source);
    // To axe a link that skips to the content is one only before all other links, and here the banner's is before it.
    const { violations } = await page.evaluate(() => window.axe.run({ rules: { region: { enabled: false } } }));
    return violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.html}`));
}

// Sets cookies as scripts of the application do: for the host, the domain, a path, and partitioned.
function setByScript(page) {
    return page.evaluate(() => {
        for (const cookie of [
            '_ga=1; Path=/; Max-Age=600',
            `_ga=2; Path=/; Max-Age=600; Domain=${location.hostname}`,
            '_gid=3; Path=/; Max-Age=600; Secure; SameSite=None; Partitioned',
            'XSRF-TOKEN=4; Path=/.well-known; Max-Age=600',
        ]) document.cookie = cookie;
        return document.cookie.split('; ').map((pair) => pair.split('=')[0]).sort();
    });
}

async function withdraw(page, found, name) {
    await page.goto(at(PAGE));
    await picture(page, `${name}-cookies`);
    found.scripted = await setByScript(page);
    found.withdrawn = await act(page, 'withdraw');
    found.left = (await page.context().cookies()).map(({ name, path }) => `${name} ${path}`);
    await picture(page, `${name}-withdrawn`);
}

// The answer to another site that sends a form of the gateway's own, as it stands on its page.
async function forge(context, choice) {
    const page = await context.newPage();
    await page.goto(at(DEEP));
    const action = await page.locator(`form[action^="${PAGE}/${choice}?"]`).getAttribute('action');
    await page.goto('about:blank');
    await page.setContent(`<form method="post" action="${at(action)}"><button>Win</button></form>`);
    const [answer] = await Promise.all([page.waitForNavigation(), page.getByRole('button').click()]);
    const cookies = await context.cookies(site);
    await page.close();
    return { status: answer.status(), cookies };
}

// The status of a call by the script of the page.
function call(page, path) {
    return page.evaluate(async (path) => (await fetch(path, { headers: { accept: 'application/json' } })).status, path);
}

async function visitRequired(options) {
    const name = `required-${options.locale}`;
    const found = {};
    let page = await open(options);
    found.asked = await go(page, DEEP);
    await picture(page, `${name}-question`);
    if (options.javaScriptEnabled !== false) found.forged = await forge(page.context(), 'agree');
    found.declined = await act(page, 'decline');
    await picture(page, `${name}-declined`);
    await page.goto(at(DEEP));
    found.agreed = await act(page, 'agree');
    found.loggedIn = await logIn(page);
    found.map = await go(page, '/map-builder');
    if (options.javaScriptEnabled !== false) found.desks = await call(page, '/api/desks');

    page = await reopen(page, options);
    found.back = await go(page, DEEP);
    await withdraw(page, found, name);
    found.askedAgain = await go(page, '/');
    return found;
}

async function visitNotice(options) {
    const name = `notice-${options.locale}`;
    const found = {};
    let page = await open(options);
    found.reported = await go(page, DEEP);
    if (options.javaScriptEnabled !== false) found.violations = await violations(page);
    await picture(page, `${name}-banner`);
    found.loggedIn = await logIn(page);
    await picture(page, `${name}-home`);
    await page.goto(at(DEEP));
    found.agreed = await act(page, 'agree');
    await picture(page, `${name}-agreed`);

    page = await reopen(page, options);
    found.back = await go(page, '/map-builder');
    await withdraw(page, found, name);
    found.reportedAgain = await go(page, DEEP);
    return found;
}

async function required() {
    const [en, de] = await Promise.all([
        visitRequired({ locale: 'en-GB', ...WIDE }),
        visitRequired({ locale: 'de-DE', ...NARROW, javaScriptEnabled: false }),
    ]);
    return { en, de };
}

async function notice() {
    const [en, de] = await Promise.all([
        visitNotice({ locale: 'en-GB', ...WIDE, javaScriptEnabled: false }),
        visitNotice({ locale: 'de-DE', ...NARROW }),
    ]);
    return { en, de };
}

async function pages() {
    const page = await open({ locale: 'en-GB' });
    const reported = [];
    page.on('console', (message) => reported.push(message.text()));
    page.on('pageerror', (error) => reported.push(String(error)));
    const found = { reported };
    for (const path of ['open', 'compressed', 'style', 'form', 'utf-16']) {
        await page.goto(at(path));
        found[path] = {
            banner: await page.locator('.crumbgate-banner').count(),
            // The application's own script has run, and its style holds.
            title: await page.title(),
            colour: await page.locator('h1').evaluate((title) => getComputedStyle(title).color),
        };
    }
    return found;
}

try {
    console.log(JSON.stringify(await { notice, pages, required }[task]()));
} finally {
    await browser.close();
}
