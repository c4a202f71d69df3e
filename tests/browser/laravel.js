// Works with the application of tests/laravel for a day, in Chromium: node laravel.js CHROMIUM URL
//
// Prints as JSON, for each step: its findings, and the names of all cookies that the jar has held since the step before; and
// the errors of pages. What that should be is for the test to say.

import { setTimeout as sleep } from 'node:timers/promises';

import { chromium } from 'playwright-core';

const [program, url] = process.argv.slice(2);
const browser = await chromium.launch({
    executablePath: program,
    timeout: 60_000,
    args: [
        '--no-sandbox',
        '--disable-background-networking',
        '--disable-gpu',
        '--disable-quic',
        '--host-resolver-rules=MAP *.flexopus.example 127.0.0.1',
    ],
});
const context = await browser.newContext({ ignoreHTTPSErrors: true });
context.setDefaultTimeout(20_000);
const page = await context.newPage();
const steps = {};
const errors = [];
page.on('pageerror', ({ message }) => errors.push(message));

const at = (path) => new URL(path, url).href;

let held = new Set();
let isOver = false;

async function look() {
    for (const { name } of await context.cookies()) held.add(name);
}

async function lookAgainAndAgain() {
    for (; !isOver; await sleep(10)) await look();
}

async function step(name, action) {
    held = new Set();
    const found = await action();
    await look();
    steps[name] = { found, held: [...held].sort() };
}

async function submit(button, path) {
    await page.getByRole('button', { name: button, exact: true }).click();
    await page.waitForURL(at(path));
}

// Makes a booking as a page's script does: with the token that it reads from its cookie, or with another one.
const book = (desk, token) => page.evaluate(async ([path, given]) => {
    const cookie = document.cookie.split('; ').find((pair) => pair.startsWith('XSRF-TOKEN='));
    const token = given ?? decodeURIComponent(cookie.split('=')[1]);
    const headers = { accept: 'application/json', 'X-XSRF-TOKEN': token };
    const answer = await fetch(path, { method: 'POST', headers });
    return { status: answer.status, booked: (await answer.json()).booked };
}, [`/api/desks/${desk}/bookings`, token]);

const desks = () => page.evaluate(async () => (await fetch('/api/desks', { headers: { accept: 'application/json' } })).status);

// Sets a tracker for the host and for the domain above it; returns the names that scripts can then read.
const track = () => page.evaluate(() => {
    const parent = location.hostname.split('.').slice(1).join('.');
    document.cookie = '_ga=GA1.1.7; Max-Age=63072000; Path=/';
    document.cookie = `_ga=GA1.1.8; Max-Age=63072000; Path=/; Domain=${parent}`;
    return document.cookie.split('; ').map((pair) => pair.split('=')[0]).sort();
});

const looking = lookAgainAndAgain();
try {
    await step('form', async () => {
        await page.goto(at('/login'));
    });
    await step('logged in', async () => {
        await page.locator('[name=email]').fill('ada@acme.example');
        await page.locator('[name=password]').fill('correct horse');
        await submit('Log in', '/map-builder');
    });
    await step('booked', () => book('B1'));
    await step('refused', () => book('B1', 'a-guess'));
    await step('tracked', track);
    await step('booked again', () => book('A1'));
    await step('map editor', async () => {
        await page.goto(at('/map-builder'));
        return page.locator('h1').innerText();
    });
    await step('desks', desks);
    await step('logged out', () => submit('Log out', '/login'));
    await step('desks afterwards', desks);
    console.log(JSON.stringify({ steps, errors }));
} finally {
    isOver = true;
    await looking;
    await browser.close();
}
