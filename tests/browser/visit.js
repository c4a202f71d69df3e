// Visits the demo with Chromium, as somebody who works there does: node visit.js CHROMIUM PROFILE_FOLDER URL
//
// Prints one JSON object: after each step the moment before and after it (in seconds since the epoch), and the cookies
// that the browser then holds. What that should be is for the test to say.

import { chromium } from 'playwright-core';

const [program, profile, url] = process.argv.slice(2);
const browser = await chromium.launchPersistentContext(profile, {
    executablePath: program,
    ignoreHTTPSErrors: true,
    timeout: 60_000,
    args: [
        '--no-sandbox',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-gpu',
        '--disable-quic',
        '--disable-sync',
        '--host-resolver-rules=MAP *.localhost 127.0.0.1',
    ],
});
browser.setDefaultTimeout(20_000);

const page = await browser.newPage();
const steps = {};

async function step(name, action) {
    const before = Date.now() / 1000;
    const found = await action();
    const after = Date.now() / 1000;
    steps[name] = { before, after, found, cookies: await browser.cookies() };
}

const open = (path) => async () => {
    await page.goto(new URL(path, url).href);
};
const submit = async (button) => {
    await page.getByRole('button', { name: button }).click();
    await page.waitForURL(url);
};
// The number of cells of the page's table that say yes.
const countYes = () => page.locator('td .yes').count();
const call = (path) => () => page.evaluate(async (path) => {
    const answer = await fetch(path, { headers: { accept: 'application/json' } });
    return { status: answer.status, body: await answer.json() };
}, path);

try {
    await step('home', async () => {
        await open('/')();
        return page.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol);
    });
    await step('form', open('/login'));
    await step('logged in', async () => {
        await page.getByLabel('Name').fill('Ada');
        await submit('Log in');
    });
    await step('who am I', async () => {
        // A cookie that was set before the gateway was installed.
        await browser.addCookies([{ name: '_ga_earlier', value: '1', url }]);
        return call('/whoami')();
    });
    await step('map editor', open('/map-builder'));
    await step('help', open('/map-builder/help'));
    await step('home again', async () => {
        await open('/')();
        return countYes();
    });
    await step('desks', call('/api/desks'));
    await step('logged out', () => submit('Log out Ada'));
    await step('desks again', call('/api/desks'));
    await step('privacy', open('/privacy'));
    console.log(JSON.stringify(steps));
} finally {
    await browser.close();
}
