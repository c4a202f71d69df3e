// Reads reports as people do, with Chromium:
//
//     node report.js CHROMIUM look FILE…      what a validator of HTML and axe find in each, and what it loads or says
//     node report.js CHROMIUM sort FILE       the table of stripped cookies, sorted by the keyboard
//     node report.js CHROMIUM plain FILE      what is shown where no script runs
//     node report.js CHROMIUM print FILE PDF
//
// Prints what it has found as JSON. What that should be is for the test to say.

import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

import axe from 'axe-core';
import { HtmlValidate } from 'html-validate';
import { chromium } from 'playwright-core';

const [program, task, ...files] = process.argv.slice(2);
const browser = await chromium.launch({
    executablePath: program,
    timeout: 60_000,
    args: ['--no-sandbox', '--disable-background-networking', '--disable-gpu'],
});

async function validate(file) {
    const validator = new HtmlValidate({
        extends: ['html-validate:recommended'],
        // A tenant's name may be long.
        rules: { 'long-title': 'off' },
    });
    const report = await validator.validateString(await readFile(file, 'utf8'));
    return report.results.flatMap((result) => result.messages.map(
        ({ ruleId, message, line, column }) => `${line}:${column}: ${ruleId}: ${message}`,
    ));
}

// Opens a report as it is: with its own policy on what may run.
async function open(file, options) {
    const page = await browser.newPage(options);
    const reported = [];
    page.on('console', (message) => reported.push(message.text()));
    page.on('pageerror', (error) => reported.push(String(error)));
    page.on('request', (request) => reported.push(`loads ${request.url()}`));
    const url = pathToFileURL(file).href;
    await page.goto(url);
    return { page, reported: () => reported.filter((line) => line !== `loads ${url}`) };
}

async function violations(file, options) {
    const { page, reported } = await open(file, options);
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate(() => window.axe.run());
    const found = violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.html}`));
    const isTooWide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
    const trouble = isTooWide ? ['the page is wider than the window'] : [];
    return [...found, ...reported(), ...trouble];
}

// Sorts the table of stripped cookies by how many came from browsers, by the keyboard alone.
async function sort([file]) {
    const { page, reported } = await open(file);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    const skipped = await page.evaluate(() => document.activeElement.id);
    const column = await page.evaluate(() => {
        const headings = [...document.querySelectorAll('#stripped thead th')];
        return headings.findIndex((heading) => heading.classList.contains('number'));
    });
    const heading = page.locator('#stripped thead th').nth(column);
    const counts = () => page.$$eval(
        '#stripped tbody tr',
        (rows, column) => rows.map((row) => Number(row.cells[column].dataset.order)),
        column,
    );
    const unsorted = await counts();
    const isFocused = () => heading.locator('button').evaluate((button) => button === document.activeElement);
    for (let presses = 0; presses < 500 && !(await isFocused()); presses += 1) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    const first = { sort: await heading.getAttribute('aria-sort'), counts: await counts() };
    await page.keyboard.press('Space');
    const second = { sort: await heading.getAttribute('aria-sort'), counts: await counts() };
    return { skipped, unsorted, first, second, reported: reported() };
}

async function print([file, path]) {
    const { page } = await open(file);
    await page.pdf({ path, preferCSSPageSize: true });
}

async function plain([file]) {
    const { page } = await open(file, { javaScriptEnabled: false });
    const rows = await page.locator('#stripped tbody tr').count();
    const hints = await page.locator('.hint:visible').count();
    return { rows, hints };
}

async function look(files) {
    const found = {};
    for (const file of files) {
        found[file] = [
            ...(await validate(file)),
            ...(await violations(file, { colorScheme: 'light', viewport: { width: 1280, height: 900 } })),
            ...(await violations(file, { colorScheme: 'dark', viewport: { width: 390, height: 844 } })),
        ];
    }
    return found;
}

try {
    const found = await { look, plain, print, sort }[task](files);
    console.log(JSON.stringify(found ?? null));
} finally {
    await browser.close();
}
