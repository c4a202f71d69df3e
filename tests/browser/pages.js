// Reads the gateway's own pages as people do, with Chromium, which runs no script of them:
//
//     node pages.js CHROMIUM PORT     what a validator of HTML and axe find on each page, and what it loads or says
//
// The tenants off.localhost, notice.localhost and required.localhost are at that port. SHOTS names a folder for pictures of
// all of it. Prints what it has found as JSON. What that should be is for the test to say.

import { join } from 'node:path';

import axe from 'axe-core';
import { HtmlValidate } from 'html-validate';
import { chromium } from 'playwright-core';

const [program, port] = process.argv.slice(2);
const browser = await chromium.launch({
    executablePath: program,
    timeout: 60_000,
    args: ['--no-sandbox', '--disable-background-networking', '--disable-gpu'],
});

const PAGE = '/.well-known/cookies';
const address = (tenant, path) => `https://${tenant}.localhost:${port}${path}`;

const STATES = [
    ['off', PAGE],
    ['off', `${PAGE}/declined`],
    ['off', `${PAGE}/withdrawn`],
    ['notice', PAGE],
    ['notice', '/'],
    ['notice', `${PAGE}/declined`],
    ['notice', `${PAGE}/withdrawn`],
    ['required', PAGE],
    ['required', '/'],
    ['required', `${PAGE}/declined`],
    ['required', `${PAGE}/withdrawn`],
];

async function validate(html) {
    const report = await new HtmlValidate({
        extends: ['html-validate:recommended'],
        // The roles of the table are those that it has anyway, and keeps where the style makes blocks of it.
        rules: { 'no-redundant-role': 'off', 'no-inline-style': 'error', 'doctype-style': 'off' },
    }).validateString(html);
    return report.results.flatMap((result) => result.messages.map(
        ({ ruleId, message, selector }) => `${ruleId}: ${message}: ${selector}`,
    ));
}

// The banner as it came, in a page of its own: the rest of that page is the application's.
function banner(html) {
    const [fragment] = /<link rel="stylesheet" href="[^"]*banner\.css">.*?<\/section>/s.exec(html) ?? [''];
    // As the application's page does, it stands in the body: HTML allows a stylesheet there.
    return `<!doctype html><html lang="fr"><head><title>x</title></head><body>${fragment}<main><h1>x</h1></main></body></html>`;
}

async function lookAt(tenant, path, options, name) {
    // Only the script that looks for violations runs: it is not the page's.
    const context = await browser.newContext({ ignoreHTTPSErrors: true, bypassCSP: false, ...options });
    const page = await context.newPage();
    const reported = [];
    page.on('console', (message) => reported.push(message.text()));
    page.on('pageerror', (error) => reported.push(String(error)));
    const isBanner = tenant === 'notice' && path === '/';
    const url = address(tenant, path);
    page.on('request', (request) => {
        if (!isBanner && request.url() !== url) reported.push(`loads ${request.url()}`);
    });
    const response = await page.goto(url);
    const html = await response.text();
    const found = await validate(isBanner ? banner(html) : html);
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate(
        (include) => window.axe.run(include),
        isBanner ? '.crumbgate-banner' : 'html',
    );
    found.push(...violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.html}`)));
    // How wide the application's own page is depends on what its scripts have put there by now.
    const isTooWide = await page.evaluate((selector) => {
        const { scrollWidth, clientWidth } = document.querySelector(selector);
        return scrollWidth > Math.min(clientWidth, window.innerWidth);
    }, isBanner ? '.crumbgate-banner' : 'html');
    if (isTooWide) found.push('the page is wider than the window');
    const languages = await page.evaluate(
        (selector) => [...document.querySelectorAll(selector)].map((element) => element.lang),
        isBanner ? '.crumbgate-banner' : 'html',
    );
    const covered = isBanner && await page.evaluate(() => {
        const { height, bottom } = document.querySelector('.crumbgate-banner').getBoundingClientRect();
        return { share: height / window.innerHeight, isAtTheBottom: bottom === window.innerHeight };
    });
    // What the application's own page says is not of interest.
    if (!isBanner) found.push(...reported.filter((line) => !line.includes('status of 403')));
    if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, `${name}.png`), fullPage: !isBanner });
    await context.close();
    return { found, languages, status: response.status(), covered, cookies: response.headers()['set-cookie'] ?? null };
}

async function look() {
    const windows = [['en-GB', 'light', 1280, 900], ['de-DE', 'dark', 320, 640]];
    // For pictures, the others too.
    const others = [['de-DE', 'light', 1280, 900], ['en-GB', 'dark', 320, 640]];
    const found = {};
    for (const [locale, colorScheme, width, height] of process.env.SHOTS ? [...windows, ...others] : windows) {
        // What differs by tenant is words: one of each kind is enough in the narrow window.
        const isNarrow = width < 500 && !process.env.SHOTS;
        const states = STATES.filter(([tenant, path]) => !isNarrow || tenant === 'required' || (tenant === 'notice' && path === '/'));
        for (const [tenant, path] of states) {
            const name = `${locale.slice(0, 2)} ${colorScheme} ${tenant} ${path}`;
            const options = { locale, colorScheme, viewport: { width, height } };
            found[name] = await lookAt(tenant, path, options, name.replaceAll(/[ /.]+/g, '-'));
        }
    }
    return found;
}

try {
    console.log(JSON.stringify(await look()));
} finally {
    await browser.close();
}
