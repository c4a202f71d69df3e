// A page that guard-site.js sends in ten parts. Each part is sent as soon as the browser has run the script of the one before,
// and after a pause: if something in between holds a part back, the page never ends.

import { setTimeout as sleep } from 'node:timers/promises';
import { createBrotliCompress, createGzip } from 'node:zlib';

const PARTS = 10;
const HEAD = '<!doctype html><html lang="en"><head><title>x</title><script>const parts = []</script></head><body>';

// What is called when the part CODING/N arrives.
const awaited = new Map();

// Sends the page in a content coding: br, gzip or identity.
export async function stream(response, coding, pauseMs) {
    const coder = { br: createBrotliCompress, gzip: createGzip }[coding]?.();
    const fields = { 'cache-control': 'no-store', 'content-type': 'text/html; charset=utf-8' };
    response.writeHead(200, coder ? { ...fields, 'content-encoding': coding } : fields);
    coder?.pipe(response);
    const body = coder ?? response;
    for (let number = 0; number !== PARTS; number += 1) {
        const arrival = new Promise((resolve) => awaited.set(`${coding}/${number}`, resolve));
        body.write(part(coding, number));
        coder?.flush();
        await arrival;
        await sleep(pauseMs);
    }
    body.end('</body></html>');
}

// Notes that a browser has run the script of the part CODING/N.
export function receivePart(key) {
    awaited.get(key)?.();
}

function part(coding, number) {
    const code = `parts.push([${number}, performance.now()]);document.cookie='_part=${coding};path=/';new Image().src='/got/${coding}/${number}'`;
    return `${number === 0 ? HEAD : ''}<p>Part ${number}<script>${code}</script>`;
}
